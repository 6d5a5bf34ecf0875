"""`python -m tests.support.counted_app worker`: the application, with object storage that logs downloads."""

from tasks.app import main
from tests.support import counted_storage  # noqa: F401 -- registers its protocol

if __name__ == "__main__":
    main()
