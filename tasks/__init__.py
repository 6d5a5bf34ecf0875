"""Celery, and nothing else: each task parses its arguments, calls one domain function and sends what follows from it."""
