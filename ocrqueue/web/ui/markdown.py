"""Renders the Markdown of pages as HTML in which nothing can run: an attacker may have written the document."""

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

# HTML is allowed because tables with spans are HTML; nh3 keeps these elements and attributes only.
_TAGS = set(
    "p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong s sub sup "
    "table thead tbody tr th td caption".split()
)
_ATTRIBUTES = {"th": {"colspan", "rowspan"}, "td": {"colspan", "rowspan"}, "ol": {"start"}}
_parser = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")


def rendered(markdown: str) -> Markup:
    """The HTML of Markdown, without links, images, scripts and styles. Their texts are kept."""
    return Markup(nh3.clean(_parser.render(markdown), tags=_TAGS, attributes=_ATTRIBUTES, clean_content_tags=set()))  # noqa: S704
