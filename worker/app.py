"""The Celery application."""

from celery import Celery

from ocrqueue.ledger.broker import watch_broker
from ocrqueue.process.memory import share_arena
from ocrqueue.settings import SettingsError, refuse_to_start

try:
    import worker_config  # noqa: F401 -- read here, so that a wrong setting stops the start with one line
except SettingsError as e:
    refuse_to_start(e)

share_arena()  # before any thread starts
watch_broker()
app = Celery(
    "ocrqueue",
    task_cls="worker.claims:CheckedTask",
    include=[
        "worker.signals",
        "worker.refused_writes",
        "worker.parent.consumer",
        "worker.parent.control",
        "tasks.document",
        "tasks.page",
        "tasks.assemble",
        "tasks.format",
        "tasks.image",
        "tasks.reconcile",
        "tasks.audit",
        "tasks.trim",
        "tasks.deliver",
    ],
)
app.config_from_object("worker_config")  # by name: a spawned child gets the application, not the module
