"""The worker process around the tasks: the Celery application, claims, leases, children, signals."""
