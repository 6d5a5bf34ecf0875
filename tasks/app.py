"""The Celery application."""

import sys

from celery import Celery

from ocrqueue.settings import SettingsError

try:
    import worker_config
except SettingsError as e:
    sys.exit(f"ocr: {e.message}")

app = Celery(
    "ocrqueue",
    include=["tasks.document", "tasks.page", "tasks.assemble", "tasks.format", "tasks.reconcile", "tasks.audit"],
)
app.config_from_object(worker_config)

from tasks import signals  # noqa: E402, F401 -- connects them; needs the application
