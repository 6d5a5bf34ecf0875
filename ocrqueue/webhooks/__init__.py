"""Webhooks: a job may name a URL that is called about it. The calls follow Standard Webhooks 1.0.0."""
