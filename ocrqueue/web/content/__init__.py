"""What answers contain: JSON objects, files and event ids, and their description in OpenAPI."""
