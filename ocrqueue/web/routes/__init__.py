"""The endpoints of the API, by subject. Each module has a `router`, which `ocrqueue.web.app` includes."""
