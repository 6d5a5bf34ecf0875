"""Endpoints in the shapes of other OCR services, so that their clients work unchanged. They use the same jobs."""
