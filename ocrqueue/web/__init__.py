"""The HTTP API. A process of it holds no state: everything is in Redis and the spool, which the client package uses."""
