"""Deciding which models to remove, moving them to the trash, and restoring them."""
