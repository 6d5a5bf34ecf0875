"""How the end of a job is written for programs that use only Celery: its result, its messages, its events."""
