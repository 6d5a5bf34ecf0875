"""`python -m tests.support.impatient_app worker`: the application, which waits 1 s for a storage that is away."""

from ocrqueue.storage import retry

retry.PATIENCE = 1.0  # before the steps import it

from tasks.app import main  # noqa: E402

if __name__ == "__main__":
    main()
