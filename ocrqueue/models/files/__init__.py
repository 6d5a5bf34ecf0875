"""The contents of a model directory: models, files, checks, hashes, locks."""
