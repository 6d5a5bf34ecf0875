"""Every Redis key, channel, queue and task name, in one place."""

from uuid import UUID, uuid5

# Of messages and of the ledger's records. A program leaves those of a higher version alone.
VERSION = 2  # the highest that this program reads; 2: options that version 1 does not know, and structuring
FIRST_VERSION = 1  # written wherever nothing newer is needed
PREFIX = "ocr:"

# Redis keys
OPEN = PREFIX + "open"  # sorted set: jobs that have not ended, by time of creation
JOBS = PREFIX + "jobs"  # sorted set: all jobs, by time of creation
CLAIMS = PREFIX + "claims"  # sorted set: "<job> <token>", by end of lease
DEAD = PREFIX + "dead"  # sorted set: "<job> <page>", by time of failure; page 0 is the document itself
UNPUBLISHED = PREFIX + "untold"  # sorted set: ended jobs whose end is not completely published, by time of ending
TAKEN = PREFIX + "taken"  # sorted set: "<queue> <priority>" of each list of messages, by when its oldest was sent
BACKLOG = PREFIX + "backlog"  # integer: open pages of all jobs; a job not opened yet counts as ten
COUNTS = PREFIX + "counts"  # hash: numbers of jobs by state, and of open pages by engine and priority
FIGURES = PREFIX + "figures"  # hash: counters and histograms since Redis began, for /metrics
MINUTES = PREFIX + "minutes"  # hash: pages of the last hour by engine and minute, and how long they kept children busy
WAITING = PREFIX + "waiting"  # sorted set: jobs with open pages, by since when they wait
WORKERS = PREFIX + "workers"  # sorted set: ids of live workers, by the time their announcement ends
CHILD = PREFIX + "child:"  # beginning of the keys of children
CACHE = PREFIX + "cache"  # hash: size of the page cache in bytes, and when it was last counted
CACHE_LOCK = PREFIX + "cache:lock"  # lock of the process that removes old entries from the page cache; expires
DELIVERIES = PREFIX + "deliveries"  # sorted set: ids of all deliveries of webhooks, by time of creation
DUE = PREFIX + "deliveries:due"  # sorted set: "<delivery> <host>" of pending ones, by next try or end of the claim
SENDER = PREFIX + "deliveries:sender"  # lock of the process that sends deliveries; expires
RECONCILER = PREFIX + "reconciler"  # hash: when the reconciler last ran, and what it knows of the queues
RECONCILING = PREFIX + "reconciler:lock"  # lock of the process that reconciles; expires
SPOOL = PREFIX + "spool"  # mark of the queue's spool, see `worker.checks.check_spool`
TRIAL = PREFIX + "trial"  # written only to see whether Redis takes writes; expires

# Celery's remote control
UNLOAD = "ocr_unload"  # every child frees its models

MODEL_DIRECTORIES = PREFIX + "models"  # sorted set: ids of model directories, by when a worker was last seen with one

# Task names
DOCUMENT = "ocr.document"
PAGE = "ocr.page"
ASSEMBLE = "ocr.assemble"
FORMAT = "ocr.format"
IMAGE = "ocr.image"
RECONCILE = "ocr.reconcile"
AUDIT = "ocr.audit"
TRIM = "ocr.trim"
DELIVER = "ocr.deliver"

# Queues
DOCUMENTS_QUEUE = "documents"
MAINTENANCE_QUEUE = "maintenance"

# Celery's priorities on Redis: 0 goes first
PRIORITIES = {"high": 3, "normal": 6, "low": 9}


def job_key(job: str) -> str:
    """The hash that is a job's record."""
    return f"{PREFIX}job:{job}"


def pages_key(job: str) -> str:
    """The hash of a job's pages that are claimed, open again, cancelled or failed; see `ledger/lua/prelude.lua`."""
    return f"{PREFIX}job:{job}:pages"


def sent_key(queue: str, priority: str) -> str:
    """The sorted set of jobs with a message in a list, by the time at which the oldest was sent, or before it."""
    return f"{PREFIX}sent:{queue} {priority}"


def again_key(queue: str) -> str:
    """The sorted set of jobs whose pages a second engine reads in this queue, by the time until which it may."""
    return f"{PREFIX}again:{queue}"


def taking_key(job: str) -> str:
    """The lock of a `web` process that receives a document with an idempotency key; expires."""
    return f"{PREFIX}taking:{job}"


def deliveries_key(job: str) -> str:
    """The hash of the deliveries of a job's webhook; see `ledger/lua/prelude.lua`."""
    return f"{PREFIX}job:{job}:deliveries"


def owner_key(owner: str) -> str:
    """The sorted set of the jobs that one API key submitted, by time of creation."""
    return f"{PREFIX}owner:{owner}"


def format_id(job: str, round: int, format: str) -> str:
    """The id of the task that makes a format of a round's result; the same for the same arguments."""
    return str(uuid5(UUID(job), f"{round} {format}"))


def structuring_id(job: str, round: int) -> str:
    """The id of the record by which workers find the structure of a round's pages; the same for the same arguments."""
    return str(uuid5(UUID(job), f"{round} structure"))


def asked_key(task: str) -> str:
    """Set when a worker is asked to run a task that makes a file, so that many who want it ask once; expires."""
    return f"{PREFIX}asked:{task}"


def celery_result_key(task: str) -> str:
    """Celery's key for the result of a task. The id of a job's first task is the job's id."""
    return f"celery-task-meta-{task}"


def events_channel(job: str) -> str:
    """The channel of a job's events. An event only wakes clients, which then read the ledger."""
    return f"{PREFIX}events:{job}"


def worker_key(worker: str) -> str:
    """The key of a worker's announcement, as JSON; expires."""
    return f"{PREFIX}worker:{worker}"


def child_key(worker: str, pid: int) -> str:
    """The key of the state of a worker's child process, as JSON; expires."""
    return f"{CHILD}{worker}:{pid}"


def unable_key(worker: str, engine: str) -> str:
    """The key that is set while a worker takes no pages of an engine, because it could not load the model; expires."""
    return f"{PREFIX}unable:{worker}:{engine}"


def night_key(what: str, date: str) -> str:
    """The key that is set by the process that does a night's work, so that it is done once; expires."""
    return f"{PREFIX}night:{what}:{date}"


def rate_key(key: str, minute: int) -> str:
    """The number of requests that an API key sent in a minute (counted since 1970), as an integer; expires."""
    return f"{PREFIX}rate:{key}:{minute}"


def session_key(token_hash: str) -> str:
    """The hash of the API key of a session of the web UI; `token_hash` is the SHA-256 of its token. Expires."""
    return f"{PREFIX}session:{token_hash}"


def models_queue(directory: str) -> str:
    """The queue of a model directory. Page workers on the machines that have the directory take its messages."""
    return f"models.{directory}"


def pages_queue(engine: str, model: str | None = None) -> str:
    """The queue of an engine's pages. An engine with a choice of models has one queue per model."""
    return f"pages.{engine}.{model}" if model else f"pages.{engine}"


def model_of(queue: str) -> str:
    """The model whose pages are in a queue; "" if it is not a queue of one model."""
    return queue.split(".", 2)[2] if engine_of(queue) and queue.count(".") > 1 else ""


def engine_of(queue: str) -> str:
    """The engine whose pages are in a queue; "" if it is not a queue of pages."""
    kind, _, rest = queue.partition(".")
    return rest.partition(".")[0] if kind == "pages" else ""
