"""What monitoring systems ask a `web` process: metrics of the whole queue, and whether it is ready."""
