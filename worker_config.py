"""Every setting of a worker. Names in lower case are Celery's; each name OCR_* is an environment variable.

A `.env` in this folder is read too. A worker with a wrong value does not start and names the value in one line.
"""

import sys

from celery.schedules import crontab
from dateutil.tz import tzlocal
from kombu import Exchange, Queue

from ocrqueue import names
from ocrqueue.engines import ENGINES, installed
from ocrqueue.engines.mlx.settings import mlx_settings
from ocrqueue.engines.tesseract.settings import tesseract_settings
from ocrqueue.limits import Limits, RereadLimits
from ocrqueue.models.settings import model_settings
from ocrqueue.process.machine import usable_cores, usable_memory
from ocrqueue.settings import (
    CENTURY,
    MOST_GB,
    WEEK,
    YEAR,
    SettingsError,
    boolean,
    choice,
    integer,
    number,
    shared,
    shutdown_seconds,
    text,
    words,
)
from ocrqueue.web.settings import web_settings
from ocrqueue.webhooks.settings import webhook_settings

START_METHODS = ("spawn",) if sys.platform == "darwin" else ("fork", "spawn")
CORES = usable_cores()  # that this process may use, also in a container
MEMORY_MB = usable_memory() >> 20
CHILD_MB = 640  # that a child which reads with rapidocr needs, with some room; see docs/benchmarks.md

# -- where things are ---------------------------------------------------------------------------------------------
SHARED = shared()  # must be the same for the client: REDIS_URL, OCR_DATA_DIR, OCR_SPOOL_URL, OCR_SPOOL_GROUP, ...
OCR_DATA_DIR = SHARED.data_dir  # everything that a running stack writes

# -- what a worker serves -----------------------------------------------------------------------------------------
# Engines whose pages this worker reads, by name; `name=package.module:Class` adds one that is not in the table of
# ocrqueue/engines. The default includes tesseract if it is installed, and mlx-vlm if OCR_MODEL names a model.
TESSERACT = tesseract_settings()  # OCR_TESSDATA_DIR, OCR_TESSERACT_LANG: see ocrqueue/engines/tesseract/settings.py
MLX = mlx_settings()  # OCR_MODEL, OCR_MODEL_DIR, OCR_TRUSTED_MODELS, OCR_MLX_...: see ocrqueue/engines/mlx/settings.py
OCR_WORKER_ENGINES = words(
    "OCR_WORKER_ENGINES",
    ("rapidocr", *(["tesseract"] if installed("tesserocr") else []), *(["mlx-vlm"] if MLX.model else [])),
    rf"({'|'.join(ENGINES)})|[a-z0-9-]+=[\w.]+:\w+",
    f"names out of {', '.join(ENGINES)}, or name=package.module:Class, separated by commas",
)
SERVED = {name: path or ENGINES[name] for name, _, path in (entry.partition("=") for entry in OCR_WORKER_ENGINES)}
if "mlx-vlm" in SERVED and not MLX.model:
    raise SettingsError("OCR_WORKER_ENGINES names mlx-vlm: set OCR_MODEL to the model that it should read with")
QUEUES = {name: names.pages_queue(name, MLX.model_name if name == "mlx-vlm" else None) for name in SERVED}
# Child processes; each reads one page, or one batch, at a time. One per core, if there is memory for so many; a
# vision-language model gets the whole machine for one child.
OCR_CHILDREN = integer(
    "OCR_CHILDREN", 1 if "mlx-vlm" in SERVED else min(256, CORES, max(1, MEMORY_MB // CHILD_MB)), 1, 256
)
OCR_PRELOAD = boolean("OCR_PRELOAD", True)  # load the model when a child starts, not before its first page
OCR_IDLE_SECONDS = integer("OCR_IDLE_SECONDS", 1800, 0, WEEK)  # after which an idle child frees its model; 0: never
OCR_RELEASE = choice("OCR_RELEASE", "idle", ("idle", "task"))  # task: free the model after every task
# How children start. On macOS it is always spawn, because a forked child cannot use the GPU there.
OCR_START_METHOD = choice("OCR_START_METHOD", "spawn" if sys.platform == "darwin" else "fork", START_METHODS)

# -- what a document and a page may cost --------------------------------------------------------------------------
LIMITS = Limits(
    max_bytes=SHARED.max_bytes,  # OCR_MAX_MB
    max_pages=integer("OCR_MAX_PAGES", 10_000, 1),
    max_pixels=integer("OCR_MAX_MEGAPIXELS", 60, 1, 1000) * 1_000_000,
    max_source_pixels=integer("OCR_MAX_SOURCE_MEGAPIXELS", 150, 1, 10_000) * 1_000_000,
    open_seconds=integer("OCR_OPEN_SECONDS", 60, 1, WEEK),
    page_seconds=integer("OCR_PAGE_SECONDS", 300, 1, WEEK),
    load_seconds=integer("OCR_LOAD_SECONDS", 600, 1, WEEK),
)
# Seconds by which a limit in the parent process is longer than the one inside a child: that does not count how long the
# child waits for object storage that is away, ten minutes at most.
TIME_LIMIT_MARGIN = 660
OCR_LEASE_SECONDS = integer("OCR_LEASE_SECONDS", 45, 3, 3600)  # after which the pages of a worker that is gone are free
OCR_PAGE_ATTEMPTS = integer("OCR_PAGE_ATTEMPTS", 3, 1, 100)  # a page fails after so many lost claims
OCR_MAX_TASKS_PER_CHILD = integer("OCR_MAX_TASKS_PER_CHILD", 200, 1)  # then a child is replaced, in case it leaks
OCR_SHUTDOWN_SECONDS = shutdown_seconds()  # for pages to finish after SIGTERM; then they are open again
# A child that uses more is ended at once: before the system, or the limit of a container, ends the whole worker. So by
# default it may use what the other children and the parent process leave.
LEFT_MB = max(1024, MEMORY_MB - (OCR_CHILDREN - 1) * CHILD_MB - 256)
MOST_MB = max(256, MEMORY_MB * 3 // 4)
OCR_MAX_CHILD_MB = integer("OCR_MAX_CHILD_MB", MOST_MB if "mlx-vlm" in SERVED else min(4096, MOST_MB, LEFT_MB), 256)

# -- the model directory --------------------------------------------------------------------------------------------
# OCR_MODEL_DIR (default: models/ in the data folder), OCR_MODEL_DIR_MAX_GB, OCR_MODEL_UNUSED_DAYS, OCR_OLD_PREFIXES,
# OCR_PRUNE (auto, trash or report), OCR_TRASH_DAYS: the command line reads them too, see ocrqueue/models/settings.py
MODELS = model_settings(OCR_DATA_DIR)

# -- guards ---------------------------------------------------------------------------------------------------------
# Folders and URL prefixes from which plain messages may name a document; without any, none but the spool.
OCR_ALLOWED_SOURCES = words(
    "OCR_ALLOWED_SOURCES", (), r"/.*|https?://[^/]+.*", "absolute folders and http(s):// prefixes, separated by commas"
)
# Tasks that a job may have sent at its end (option `notify`).
OCR_NOTIFY_TASKS = words("OCR_NOTIFY_TASKS", (), r"[\w.]+", "names of tasks, separated by commas")

# -- webhooks -------------------------------------------------------------------------------------------------------
WEBHOOKS = webhook_settings()  # OCR_WEBHOOK_URLS, OCR_WEBHOOK_SECRET, OCR_WEBHOOK_SECONDS: see ocrqueue/webhooks

# -- how long things are kept, and repairs --------------------------------------------------------------------------
OCR_KEEP_JOBS_DAYS = integer("OCR_KEEP_JOBS_DAYS", 30, 1, CENTURY)  # after its end a job is removed, with its result
# Pages that were poorly read are read once more by another engine: at most this share of a job's pages, and none that
# is not begun so many seconds after every page was read once. 0 in either switches it off.
REREAD = RereadLimits(
    share=number("OCR_REREAD_SHARE", 1, 0, 1),
    seconds=number("OCR_REREAD_SECONDS", 3600, 0, YEAR),
)
# Size of the page cache in the spool: the same page is not read twice. 0: no cache, and an existing one is removed.
OCR_CACHE_MAX_GB = number("OCR_CACHE_MAX_GB", 2, 0, MOST_GB)
CACHE_MAX_BYTES = round(OCR_CACHE_MAX_GB * 10**9)
OCR_NO_WORKER_MINUTES = integer("OCR_NO_WORKER_MINUTES", 60, 1, YEAR // 60)  # then pages fail that no worker reads
OCR_RECONCILE_SECONDS = integer("OCR_RECONCILE_SECONDS", 20, 1, 30)  # between two searches for lost claims and messages
TRIM_SECONDS = 300  # between two checks of the page cache's size
# When beat sends the nightly audit, in the local time of its machine.
OCR_AUDIT_AT = text("OCR_AUDIT_AT", "03:00", r"([01]\d|2[0-3]):[0-5]\d", "a local time such as 03:00")

# -- Flower -----------------------------------------------------------------------------------------------------------
OCR_FLOWER_ADDRESS = text("OCR_FLOWER_ADDRESS", "127.0.0.1", r"[\w.:-]+", "an address of this machine")
OCR_FLOWER_PORT = integer("OCR_FLOWER_PORT", 5555, 1, 65535)
OCR_FLOWER_PASSWORD = text(  # Flower takes a list of them, separated by commas
    "OCR_FLOWER_PASSWORD", "", r"[^\s:,]+:[^\s,]+", "user:password, without commas and blanks", secret=True
)

# -- the HTTP API -----------------------------------------------------------------------------------------------------
WEB = web_settings()  # OCR_HTTP_ADDRESS, OCR_HTTP_PORT, OCR_API_KEYS: see ocrqueue/web/settings.py

# == Celery ==========================================================================================================
broker_url = result_backend = SHARED.redis
broker_connection_retry_on_startup = True  # a worker may start before Redis does
broker_connection_max_retries = None  # and waits for Redis as long as it is away
broker_channel_error_retry = True  # also while Redis is at its memory limit and refuses writes
broker_transport_options = {
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    **SHARED.celery_options,
}
result_backend_transport_options = SHARED.celery_options
broker_use_ssl = redis_backend_use_ssl = SHARED.celery_tls
redis_socket_timeout = 15
redis_socket_connect_timeout = 5
redis_socket_keepalive = not SHARED.redis.startswith("redis+socket:")  # a Unix socket has no such option

# Only JSON, because a pickled message could run code.
accept_content = ["json"]
task_serializer = result_serializer = "json"
result_expires = OCR_KEEP_JOBS_DAYS * 86_400
result_extended = True

task_queues = [Queue(name, Exchange(name), name) for name in QUEUES.values()]
task_default_queue = names.MAINTENANCE_QUEUE
task_default_priority = names.PRIORITIES["normal"]  # Celery's default on Redis is 0, the highest
task_acks_late = False  # True would end a worker when Redis restarts; the ledger knows what is unfinished
task_reject_on_worker_lost = False  # True would repeat a page that kills its child without end
task_acks_on_timeout = True  # False would repeat a page that takes too long without end
task_track_started = False  # True: a late "started" would overwrite the job's end
task_ignore_result = True  # only the job's end is stored, under the job's id
task_send_sent_event = worker_send_task_events = True  # for Flower
# Seconds after which the parent ends a child. Each step has a shorter limit inside the child, so this one only counts
# where the child cannot end itself. `ocr.page` has a limit of its own, which grows with the engine's batch.
# `ocr.document` opens a job and may assemble it, too.
task_time_limit = LIMITS.open_seconds + LIMITS.load_seconds + LIMITS.page_seconds + TIME_LIMIT_MARGIN

worker_consumer = "worker.parent.consumer:Consumer"
worker_concurrency = OCR_CHILDREN
worker_pool_start_method = OCR_START_METHOD
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # a message is taken only when a child is free for it, so that jobs take turns
worker_max_tasks_per_child = OCR_MAX_TASKS_PER_CHILD
worker_max_memory_per_child = OCR_MAX_CHILD_MB * 1024 * 3 // 4  # a child that uses more is replaced after its task
worker_proc_alive_timeout = LIMITS.load_seconds + 20  # Celery's 4 s would kill every new child that loads a model
worker_cancel_long_running_tasks_on_connection_loss = False  # a page is read to its end while Redis restarts
worker_hijack_root_logger = True
worker_redirect_stdouts = False
worker_log_format = "%(asctime)s %(levelname)s %(processName)s %(message)s"
worker_task_log_format = worker_log_format

beat_schedule_filename = str(OCR_DATA_DIR / "beat-schedule")
beat_sync_every = 1  # save the schedule at once, so that a missed audit is sent after a restart
beat_max_loop_interval = 5
timezone = tzlocal()  # OCR_AUDIT_AT is a local time; None would mean UTC
_MAINTENANCE = {"queue": names.MAINTENANCE_QUEUE, "declare": []}  # see `ocrqueue.ledger.messages`
_EXPIRES = 3600  # seconds, by the clocks of beat and the worker, which may differ: such tasks do not pile up for ever
beat_schedule = {
    "reconcile": {
        "task": names.RECONCILE,
        "schedule": OCR_RECONCILE_SECONDS,
        "options": {**_MAINTENANCE, "expires": _EXPIRES, "priority": 0},
    },
    "trim": {
        "task": names.TRIM,
        "schedule": TRIM_SECONDS,
        "options": {**_MAINTENANCE, "expires": _EXPIRES},
    },
    "audit": {
        "task": names.AUDIT,
        "schedule": crontab(hour=int(OCR_AUDIT_AT[:2]), minute=int(OCR_AUDIT_AT[3:])),
        "options": _MAINTENANCE,
    },
}
