"""The worker's parent process: it renews claims, announces the worker, measures its children, obeys commands."""
