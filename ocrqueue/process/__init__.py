"""What a process needs from the operating system: memory, time limits, locks, libraries, ports."""
