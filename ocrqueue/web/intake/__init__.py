"""Taking documents over HTTP: bodies and forms to files, options, admission, and the submission itself."""
