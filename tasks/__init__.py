"""The Celery tasks, and nothing else: a task parses its arguments, calls one domain function and sends what follows."""
