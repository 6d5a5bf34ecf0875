"""Every setting of a worker: Celery's own in lower case, ours as OCR_*, each an environment variable of that name.

A `.env` in this folder is read too. A wrong value stops the start with one line that names it.
"""

import os
import sys

from celery.schedules import crontab
from dateutil.tz import tzlocal
from kombu import Exchange, Queue

from ocrqueue import names
from ocrqueue.engines import ENGINES
from ocrqueue.engines.mlx.settings import mlx_settings
from ocrqueue.limits import Limits
from ocrqueue.models.settings import model_settings
from ocrqueue.settings import SettingsError, boolean, choice, integer, number, shared, text, words

START_METHODS = ("spawn",) if sys.platform == "darwin" else ("fork", "spawn")
MACHINE_MB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20

# -- where things are ---------------------------------------------------------------------------------------------
SHARED = shared()  # what the client must agree on: REDIS_URL, OCR_DATA_DIR, OCR_SPOOL_URL, OCR_SPOOL_GROUP, ...
OCR_DATA_DIR = SHARED.data_dir  # all that a running stack writes

# -- what a worker serves -----------------------------------------------------------------------------------------
# Engines by name; `name=package.module:Class` adds one that is not in the table of ocrqueue/engines.
# Where OCR_MODEL names a model, mlx-vlm is served too.
MLX = mlx_settings()  # OCR_MODEL, OCR_MODEL_DIR, OCR_TRUSTED_MODELS, OCR_MLX_...: see ocrqueue/engines/mlx/settings.py
OCR_WORKER_ENGINES = words(
    "OCR_WORKER_ENGINES",
    ("rapidocr", "mlx-vlm") if MLX.model else ("rapidocr",),
    rf"({'|'.join(ENGINES)})|[a-z0-9-]+=[\w.]+:\w+",
    f"names out of {', '.join(ENGINES)}, or name=package.module:Class, parted by commas",
)
SERVED = {name: path or ENGINES[name] for name, _, path in (entry.partition("=") for entry in OCR_WORKER_ENGINES)}
if "mlx-vlm" in SERVED and not MLX.model:
    raise SettingsError("OCR_WORKER_ENGINES names mlx-vlm: set OCR_MODEL to the model it is to read with")
QUEUES = {name: names.pages_queue(name, MLX.model_name if name == "mlx-vlm" else None) for name in SERVED}
# Children that read a page each at a time. On one core each; with a vision-language model one has the machine.
OCR_CHILDREN = integer("OCR_CHILDREN", 1 if "mlx-vlm" in SERVED else os.cpu_count() or 1, 1, 256)
OCR_PRELOAD = boolean("OCR_PRELOAD", True)  # load the model when a child starts, not with its first page
OCR_IDLE_SECONDS = integer("OCR_IDLE_SECONDS", 1800, 0)  # an idle child frees its model after this; 0: never
OCR_RELEASE = choice("OCR_RELEASE", "idle", ("idle", "task"))  # task: the model is freed after every task
# How children start. On macOS a forked child cannot use the GPU, so there it is always spawn.
OCR_START_METHOD = choice("OCR_START_METHOD", "spawn" if sys.platform == "darwin" else "fork", START_METHODS)

# -- what a document and a page may cost --------------------------------------------------------------------------
LIMITS = Limits(
    max_bytes=SHARED.max_bytes,  # OCR_MAX_MB
    max_pages=integer("OCR_MAX_PAGES", 10_000, 1),
    max_pixels=integer("OCR_MAX_MEGAPIXELS", 60, 1, 1000) * 1_000_000,
    max_source_pixels=integer("OCR_MAX_SOURCE_MEGAPIXELS", 150, 1, 10_000) * 1_000_000,
    open_seconds=integer("OCR_OPEN_SECONDS", 60, 1),
    page_seconds=integer("OCR_PAGE_SECONDS", 300, 1),
    load_seconds=integer("OCR_LOAD_SECONDS", 600, 1),
)
TIME_LIMIT_MARGIN = 60  # seconds by which a limit in the parent process is longer than the one inside a child
OCR_LEASE_SECONDS = integer("OCR_LEASE_SECONDS", 45, 3, 3600)  # a vanished worker's pages are free after this
OCR_PAGE_ATTEMPTS = integer("OCR_PAGE_ATTEMPTS", 3, 1, 100)  # lost claims after which a page is given up
OCR_MAX_TASKS_PER_CHILD = integer("OCR_MAX_TASKS_PER_CHILD", 200, 1)  # then the child is replaced
OCR_SHUTDOWN_SECONDS = integer("OCR_SHUTDOWN_SECONDS", 30, 0, 3600)  # pages end within it after SIGTERM, or go back
# Over it, a child is ended at once. A vision-language model may take three quarters of the machine's memory.
OCR_MAX_CHILD_MB = integer("OCR_MAX_CHILD_MB", max(4096, MACHINE_MB * 3 // 4) if "mlx-vlm" in SERVED else 4096, 256)

# -- the model directory --------------------------------------------------------------------------------------------
# OCR_MODEL_DIR (default: models/ in the data folder), OCR_MODEL_DIR_MAX_GB, OCR_MODEL_UNUSED_DAYS, OCR_OLD_PREFIXES,
# OCR_PRUNE (auto, trash or report), OCR_TRASH_DAYS: read by the command line as well, see ocrqueue/models/settings.py
MODELS = model_settings(OCR_DATA_DIR)

# -- guards ---------------------------------------------------------------------------------------------------------
# Folders and URL prefixes that a worker may read besides the spool.
OCR_ALLOWED_SOURCES = words(
    "OCR_ALLOWED_SOURCES", (), r"/.*|https?://[^/]+.*", "absolute folders and http(s):// prefixes, parted by commas"
)
OCR_NOTIFY_TASKS = words("OCR_NOTIFY_TASKS", (), r"[\w.]+", "names of tasks that a job may name, parted by commas")

# -- keeping and mending ----------------------------------------------------------------------------------------------
OCR_KEEP_JOBS_DAYS = integer("OCR_KEEP_JOBS_DAYS", 30, 1)  # ended jobs and their results are removed after this
# Of the page cache, in the spool: what was read once is not read again. 0: nothing is kept, and what there is goes.
OCR_CACHE_MAX_GB = number("OCR_CACHE_MAX_GB", 2, 0)
CACHE_MAX_BYTES = round(OCR_CACHE_MAX_GB * 10**9)
OCR_NO_WORKER_MINUTES = integer("OCR_NO_WORKER_MINUTES", 60, 1)  # then pages that no worker reads fail
OCR_RECONCILE_SECONDS = integer("OCR_RECONCILE_SECONDS", 20, 1, 30)  # how often lost claims and tickets are looked for
TRIM_SECONDS = 300  # how often the page cache is brought back to its limit
OCR_AUDIT_AT = text("OCR_AUDIT_AT", "03:00", r"([01]\d|2[0-3]):[0-5]\d", "a local time such as 03:00")

# -- Flower -----------------------------------------------------------------------------------------------------------
OCR_FLOWER_ADDRESS = text("OCR_FLOWER_ADDRESS", "127.0.0.1", r"[\w.:-]+", "an address of this machine")
OCR_FLOWER_PORT = integer("OCR_FLOWER_PORT", 5555, 1, 65535)
OCR_FLOWER_PASSWORD = text("OCR_FLOWER_PASSWORD", "", r"[^\s:]+:\S+", "user:password")

# == Celery ==========================================================================================================
broker_url = result_backend = SHARED.redis
broker_connection_retry_on_startup = True  # a worker may start before Redis does
broker_connection_max_retries = None  # and outlives it
broker_channel_error_retry = True  # and a Redis that takes no writes, being full
broker_transport_options = {
    "visibility_timeout": 3600,  # plays no part: every message is acknowledged on receipt
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 15,
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
}
redis_socket_timeout = 15
redis_socket_connect_timeout = 5

# JSON alone: a message cannot bring code along.
accept_content = ["json"]
task_serializer = result_serializer = "json"
result_expires = OCR_KEEP_JOBS_DAYS * 86_400
result_extended = True

task_queues = [Queue(name, Exchange(name), name) for name in QUEUES.values()]
task_default_queue = names.MAINTENANCE_QUEUE
task_default_priority = names.PRIORITIES["normal"]  # on Redis 0 is the highest, and otherwise the default
task_acks_late = False  # the ledger knows what is open; late acknowledgement ends a worker when Redis restarts
task_reject_on_worker_lost = False  # True is an endless loop for a page that kills its child
task_acks_on_timeout = True  # False is another
task_track_started = False  # a late "started" would overwrite a job's end
task_ignore_result = True  # of a job, its end alone is stored, under the job's id
task_send_sent_event = worker_send_task_events = True  # for Flower
# Seconds after which the parent ends a child. Each step has a shorter limit inside the child, so this one only counts
# where the child cannot end itself. `ocr.page` has a limit of its own, which grows with the engine's batch.
task_time_limit = max(LIMITS.open_seconds, LIMITS.load_seconds + LIMITS.page_seconds) + TIME_LIMIT_MARGIN

worker_concurrency = OCR_CHILDREN
worker_pool_start_method = OCR_START_METHOD
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # a message is taken when a child is free for it: jobs take turns
worker_max_tasks_per_child = OCR_MAX_TASKS_PER_CHILD
worker_max_memory_per_child = OCR_MAX_CHILD_MB * 1024 * 3 // 4  # over it, replaced after a task
worker_proc_alive_timeout = LIMITS.load_seconds + 20  # Celery's 4 s would kill every replacement that loads a model
worker_cancel_long_running_tasks_on_connection_loss = False  # a page survives a restart of Redis
worker_hijack_root_logger = True
worker_redirect_stdouts = False
worker_log_format = "%(asctime)s %(levelname)s %(processName)s %(message)s"
worker_task_log_format = worker_log_format

beat_schedule_filename = str(OCR_DATA_DIR / "beat-schedule")
beat_sync_every = 1  # a missed night is caught up after a restart
beat_max_loop_interval = 5
timezone = tzlocal()  # OCR_AUDIT_AT is a local time; with None, Celery takes UTC
beat_schedule = {
    "reconcile": {
        "task": names.RECONCILE,
        "schedule": OCR_RECONCILE_SECONDS,
        "options": {"queue": names.MAINTENANCE_QUEUE, "expires": 2 * OCR_RECONCILE_SECONDS, "priority": 0},
    },
    "trim": {
        "task": names.TRIM,
        "schedule": TRIM_SECONDS,
        "options": {"queue": names.MAINTENANCE_QUEUE, "expires": TRIM_SECONDS},
    },
    "audit": {
        "task": names.AUDIT,
        "schedule": crontab(hour=int(OCR_AUDIT_AT[:2]), minute=int(OCR_AUDIT_AT[3:])),
        "options": {"queue": names.MAINTENANCE_QUEUE},
    },
}
