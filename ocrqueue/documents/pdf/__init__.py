"""PDF documents, by PyMuPDF: rendering of pages, and the text that a page contains."""
