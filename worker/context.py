"""The objects that the tasks of this process share. Each is made on first use."""

import os
from functools import cache

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

import worker_config as config
from ocrqueue.engines.holder import EngineHolder
from ocrqueue.ledger import Ledger
from ocrqueue.ledger.connection import client
from ocrqueue.models import ModelStore
from ocrqueue.process.rwlock import ReadWriteLock
from ocrqueue.steps.page_cache import PageCache
from ocrqueue.storage.source_copies import SourceCopies
from ocrqueue.storage.spool import Spool
from worker.claim_sizes import ClaimSizes

# Environment variables by which a worker's parent process tells its children, forked or spawned, which worker they
# belong to.
WORKER_ID = "OCR_WORKER_ID"
WORKER_NAME = "OCR_WORKER_NAME"


def worker_id() -> str:
    """The id of the worker that this process belongs to. It is new at every start."""
    return os.environ.get(WORKER_ID, "")


def worker_name() -> str | None:
    """The name under which Celery and Flower know the worker, such as "worker@host"."""
    return os.environ.get(WORKER_NAME)


PATIENCE = 30  # seconds for which a command is tried again while Redis is away
PAUSE = min(3.0, config.OCR_LEASE_SECONDS / 8)  # longest pause between two tries, in seconds: well below a lease


@cache
def redis() -> Redis:
    """A connection that survives a restart of the server: it tries again for about `PATIENCE` seconds."""
    return client(
        config.SHARED,
        socket_timeout=15,
        socket_connect_timeout=5,
        retry=Retry(ExponentialBackoff(cap=PAUSE, base=0.1), 5 + round(PATIENCE / PAUSE)),
    )


@cache
def ledger() -> Ledger:
    """The ledger: the state of all jobs in Redis."""
    return Ledger(redis(), lease=config.OCR_LEASE_SECONDS, attempts=config.OCR_PAGE_ATTEMPTS)


@cache
def claim_sizes() -> ClaimSizes:
    """How many pages this child's next claims take."""
    return ClaimSizes()


@cache
def claim_lock() -> ReadWriteLock:
    """Held by each child of this worker while it holds a claim: shared, or exclusively for a page's last attempt."""
    return ReadWriteLock(config.OCR_DATA_DIR / "workers.lock", worker_name() or "")


@cache
def spool() -> Spool:
    """The spool: the jobs' folders with documents, pages and results."""
    return Spool(config.SHARED.spool, config.SHARED.spool_group, source_copies())


@cache
def source_copies() -> SourceCopies:
    """This machine's copies of documents in object storage: room for four documents of the largest size allowed."""
    return SourceCopies(config.OCR_DATA_DIR / "sources", 4 * config.LIMITS.max_bytes)


@cache
def page_cache() -> PageCache:
    """The page cache, which lies in the spool next to the jobs' folders."""
    return PageCache(spool().storage, redis(), config.CACHE_MAX_BYTES)


@cache
def models() -> ModelStore:
    """The model directory of this machine."""
    return ModelStore(config.MODELS)


@cache
def engines() -> EngineHolder:
    """The engines of this child process."""
    return EngineHolder(config.SERVED, config.LIMITS.load_seconds)
