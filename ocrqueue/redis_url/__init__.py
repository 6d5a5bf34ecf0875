"""What REDIS_URL can name: the embedded server of a data folder, or servers with sentinels."""
