"""Removing models safely: the audit, the trash, the way back."""
