"""The worker process around the tasks: the Celery application, claims and leases, children, signals, the night."""
