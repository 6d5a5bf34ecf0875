"""What lies in a model directory: files, checks, hashes, locks."""
