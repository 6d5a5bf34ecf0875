"""`python -m tests.support.unclearing worker`: a worker that does not clear MLX's cache, to show the difference."""

import gc

from tasks.app import main
from worker import child

child.give_back = lambda: gc.collect() and None  # type: ignore[assignment]

if __name__ == "__main__":
    main()
