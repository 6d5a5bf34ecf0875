"""OCR Queue: a document goes in as a reference, comes out as pages of text, and every page is accounted for."""

__version__ = "1.0.0"
