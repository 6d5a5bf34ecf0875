"""Formats made from the blocks of a result: Markdown and HTML of the whole document, page by page."""
