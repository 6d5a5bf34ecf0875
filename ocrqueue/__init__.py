"""OCR Queue: a job queue that reads the text of scans and PDFs on your own machines."""

__version__ = "1.0.0"
