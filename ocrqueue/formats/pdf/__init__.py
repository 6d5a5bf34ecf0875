"""The searchable PDF."""
