"""What can be wrong although each setting is allowed: checked before anything starts, and reported in one line."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from uuid import uuid4

from redis.exceptions import RedisError

import worker_config as config
from ocrqueue import names
from ocrqueue.engines import engine_class
from ocrqueue.errors import OcrError, StorageError
from ocrqueue.ledger.connection import CLUSTER, address, connect, connect_briefly
from ocrqueue.settings import SettingsError, check_address, refuse_to_start, shared, stuck_minutes
from ocrqueue.stack.embedded import EmbeddedError, find_server
from ocrqueue.storage.spool import Spool
from ocrqueue.web.settings import web_settings
from worker import flower


def check(processes: Collection[str]) -> None:
    """Check these processes of the Procfile. Raises SystemExit with one line if one of them could not start."""
    try:
        stuck_minutes()  # only `doctor` uses it
        if "redis" in processes and shared().embedded:
            find_server()
        if "web" in processes:
            check_web("flower" in processes)
    except OcrError as e:
        refuse_to_start(e)
    except EmbeddedError as e:
        raise SystemExit(f"ocr: {e}") from None
    if "flower" in processes:
        flower.check()
    if "worker" in processes:
        check_engines(config.SERVED)


def check_web(beside_flower: bool) -> None:
    """Raise OcrError if the HTTP API could not listen, or must not, with its settings."""
    from ocrqueue.web import __main__ as web  # needs packages that a worker does not

    settings = web_settings()
    check_address("OCR_HTTP_ADDRESS", settings.address)
    web.check(settings)
    if beside_flower and settings.port == config.OCR_FLOWER_PORT:
        addresses = {settings.address, config.OCR_FLOWER_ADDRESS} - {"0.0.0.0", "::"}  # noqa: S104
        if len(addresses) < 2:
            raise SettingsError(f"OCR_FLOWER_PORT={settings.port} is the port of the HTTP API, too: set another")


def check_engines(served: Iterable[str]) -> None:
    """Make each of these engines; this loads no model. Raises SystemExit with one line if one cannot be made."""
    for name in served:
        path = config.SERVED[name]
        try:
            engine_class(path)()
        except Exception as e:  # noqa: BLE001 -- a module of somebody else's may raise anything
            why = " ".join(f"{type(e).__name__}: {e}".split())
            raise SystemExit(
                f"ocr: OCR_WORKER_ENGINES={name}={path} cannot be used ({why}): "
                "name a class as package.module:Class that this Python can import"
            ) from None


def check_spool(spool: Spool) -> None:
    """Raise StorageError if the queue uses another spool, as where an empty folder is and the shared one not mounted.

    The first worker marks the spool, and tells the mark to Redis. While Redis is away, nothing is checked.
    """
    is_default = config.SHARED.spool == str(config.OCR_DATA_DIR / "spool")  # who removes it wants an empty one
    with suppress(RedisError), connect_briefly(config.SHARED) as redis:
        known, mark = redis.get(names.SPOOL), spool.mark()
        if known and known != mark and (mark or not is_default):
            raise StorageError(
                f"the spool {config.SHARED.spool} is not the one that this queue uses: mount that one, or correct "
                f"OCR_SPOOL_URL; if this one is to replace it, remove the key {names.SPOOL} in Redis"
            )
        if not (known and mark):
            redis.set(names.SPOOL, mark or uuid4().hex, nx=True)
            spool.put_mark(str(redis.get(names.SPOOL)))


def check_server() -> None:
    """Raise SystemExit, with one line, if the server is a Redis Cluster. A server that is away is waited for later."""
    if config.SHARED.sentinels:
        return
    with suppress(RedisError), connect(config.SHARED) as redis:
        if redis.info("cluster").get("cluster_enabled"):
            raise SystemExit(f"ocr: Redis at {address(config.SHARED)} {CLUSTER}")
