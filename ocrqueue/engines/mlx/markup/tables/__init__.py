"""Tables in models' answers: read from OTSL, LaTeX and HTML, written as Markdown, HTML and plain text."""
