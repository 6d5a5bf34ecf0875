"""The web UI: server-rendered pages and a little JavaScript. It reads and changes jobs through the HTTP API only."""
