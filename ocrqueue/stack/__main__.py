"""`python -m ocrqueue.stack [NAME]`: the whole stack, or one process of the Procfile."""

import sys

from ocrqueue.stack.stack import main

sys.exit(main())
