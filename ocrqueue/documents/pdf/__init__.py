"""PDF documents: pages rendered by PyMuPDF, and the text that a page contains."""
