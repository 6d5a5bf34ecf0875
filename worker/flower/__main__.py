"""See `worker.flower`."""

from worker.flower import main

main()
