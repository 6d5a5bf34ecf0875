"""Lines of a PDF page as a reader sees them: what the file and MuPDF name otherwise gets its characters."""
