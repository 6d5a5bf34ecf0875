"""The steps of a job, in the order in which workers take them: open, read, assemble, make formats; and their repair."""
