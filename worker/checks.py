"""What can be wrong although each setting is allowed: checked before anything starts, and reported in one line."""

from collections.abc import Collection, Iterable
from contextlib import suppress

from redis.exceptions import RedisError

import worker_config as config
from ocrqueue.engines import engine_class
from ocrqueue.ledger.connection import CLUSTER, address, connect
from worker import flower


def check(processes: Collection[str]) -> None:
    """Check these processes of the Procfile. Raises SystemExit with one line if one of them could not start."""
    if "flower" in processes:
        flower.check()
    if "worker" in processes:
        check_engines(config.SERVED)


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


def check_server() -> None:
    """Raise SystemExit, with one line, if the server is a Redis Cluster. A server that is away is waited for later."""
    if config.SHARED.sentinels:
        return
    with suppress(RedisError), connect(config.SHARED) as redis:
        if redis.info("cluster").get("cluster_enabled"):
            raise SystemExit(f"ocr: Redis at {address(config.SHARED)} {CLUSTER}")
