"""The command line of OCR Queue, and `from submit import submit` for programs in this folder."""

import sys

try:
    from ocrqueue.client import submit

    if __name__ == "__main__":
        from ocrqueue.cli import main
except KeyboardInterrupt:
    if __name__ != "__main__":
        raise
    sys.exit(130)
except ModuleNotFoundError as e:
    if __name__ != "__main__":
        raise
    print(f"error: {e.name} is not installed here; run `make setup`, then .venv/bin/python submit.py", file=sys.stderr)
    sys.exit(2)

__all__ = ["submit"]

if __name__ == "__main__":
    sys.exit(main())
