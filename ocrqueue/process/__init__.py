"""What one worker process needs of its operating system: memory, time limits, locks, libraries."""
