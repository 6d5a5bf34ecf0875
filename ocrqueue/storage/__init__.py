"""Where documents and results are stored: the spool, on a folder or on object storage."""
