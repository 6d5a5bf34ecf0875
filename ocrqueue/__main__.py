"""`python -m ocrqueue`: the command line, as `ocr-queue` and submit.py are."""

import sys

from ocrqueue.cli import main

if __name__ == "__main__":
    sys.exit(main())
