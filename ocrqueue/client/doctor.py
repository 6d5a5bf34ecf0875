"""Checks of everything that a running queue needs. Each check yields a line, with what to do if it fails."""

import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import cast

from ocrqueue import names, settings
from ocrqueue.client.client import MEMORY_SHARE, Client
from ocrqueue.client.findings import Finding, Level
from ocrqueue.client.listing import JobFilter
from ocrqueue.client.remote.doctor import examine_api
from ocrqueue.client.remote.settings import RemoteSettings, remote_settings
from ocrqueue.engines import POOR_PAGES, installed
from ocrqueue.engines.best import for_poor_pages
from ocrqueue.engines.tesseract.engine import Tesseract
from ocrqueue.errors import OcrError, QueueUnavailable, StorageError
from ocrqueue.languages import shown
from ocrqueue.ledger import workers
from ocrqueue.ledger.connection import address, check_writes
from ocrqueue.ledger.workers import Structure, Worker, serving
from ocrqueue.process import blas
from ocrqueue.storage.spool import END

_FREE_SHARE, _FREE_BYTES = 0.05, 10**9  # free share and bytes below which the spool's disk counts as full
_CLOCK_SECONDS = 5.0  # largest difference between this machine's clock and that of Redis
_RECONCILER_SECONDS = 90.0  # longest time between two runs; by default it runs every 20 s
_BEAT = "start `celery -A tasks.app beat` (or `make up`)"
_LOOKED_AT = 200  # newest jobs, and oldest ones, among which ended ones are looked for
_ENDED_LOOKED_AT = 5  # number of them whose end.json is looked for in the spool
_OPEN_LOOKED_AT, _STUCK_SHOWN = 200, 20  # oldest open jobs that are looked at; most that are named if they are stuck


def examine() -> Iterator[Finding]:
    """Run all checks, one after another; with OCR_API_URL, only those of the HTTP API. Raises SettingsError."""
    if remote := remote_settings():
        yield from examine_api(remote)
        return
    client = Client()
    try:
        client.statuses([])
    except QueueUnavailable as e:
        yield Finding(Level.WRONG, e.message)
        yield from _spool(client)
        yield from _blas([])
        yield from _tesseract()
        return
    live = workers.live(client.redis)
    yield from _redis(client)
    yield from _clock(client)
    yield from _work(client, live)
    yield from _spool(client)
    yield from _cache(client)
    yield from _same_spool(client)
    yield from _flower()
    yield from _api()
    yield from _blas(live)
    yield from _tesseract()


def _check(fine: bool, good: str, bad: str) -> Finding:
    return Finding(Level.OK, good) if fine else Finding(Level.WRONG, bad)


def _redis(client: Client) -> Iterator[Finding]:
    info = cast("Mapping[str, str | int]", client.redis.info())
    where, version = f"Redis at {address(client.settings)}", str(info.get("valkey_version", info["redis_version"]))
    yield _check(
        int(version.split(".", maxsplit=1)[0]) >= 7,
        f"{where}: version {version}",
        f"{where} has version {version}: take 7 or newer",
    )
    yield _check(
        info.get("aof_enabled") == 1,
        "Redis writes its append-only file",
        "Redis keeps jobs in memory only, and a restart loses them; set `appendonly yes`",
    )
    used, limit = int(info["used_memory"]), int(info["maxmemory"])
    policy = info.get("maxmemory_policy")
    yield _check(
        not limit or policy == "noeviction",
        f"Redis never removes keys by itself ({policy})",
        f"Redis removes keys, also of jobs, when memory is short ({policy}); set `maxmemory-policy noeviction`",
    )
    share = f"{used / 2**20:.0f} MB" + (f", {used / limit:.0%} of its limit" if limit else ", and has no limit")
    full = bool(limit) and used >= MEMORY_SHARE * limit
    yield _check(
        not full,
        f"Redis uses {share}",
        f"Redis uses {share}: submissions are refused; let it drain, or raise maxmemory",
    )


def _clock(client: Client) -> Iterator[Finding]:
    before = time.time()
    server = client.ledger.now()
    apart = abs(server - (before + time.time()) / 2)
    yield _check(
        apart <= _CLOCK_SECONDS,
        f"this machine's clock and that of Redis are {apart:.1f} s apart",
        f"this machine's clock and that of Redis are {apart:.0f} s apart: synchronize them (NTP)",
    )


def _work(client: Client, live: list[Worker]) -> Iterator[Finding]:
    """Whether workers and reconciler run, and jobs progress; if Redis takes no writes, only why not.

    They show that they run by what they write, so all of them would seem to be gone.
    """
    try:
        check_writes(client.redis, client.settings)
    except QueueUnavailable as e:
        yield Finding(Level.WRONG, e.message)
        return
    yield from _workers(live)
    yield from _reconciler(client, live)
    yield from _jobs(client)


def _workers(live: list[Worker]) -> Iterator[Finding]:
    for worker in live:
        engines = ", ".join(f"{name} ({about.get('model')})" for name, about in worker.engines.items())
        serves = f"reads with {engines}" if engines else f"takes {', '.join(worker.queues)}"
        where = f"worker {worker.host} ({worker.pid})"
        yield Finding(Level.OK, f"{where}: {worker.children} children, {serves}")
        for queue, why in worker.paused.items():
            yield Finding(Level.WRONG, f"{where} takes no messages of {queue} for a minute: {why}")
    yield from _structure(live)
    yield from _poor_pages(live)
    documents = serving(live, names.DOCUMENTS_QUEUE)
    if not documents:
        start = "start one with `make up` or `celery -A tasks.app worker -Q documents,maintenance`"
        yield Finding(Level.WRONG, f"no worker opens documents: {start}")
    if not any(queue.startswith("pages.") for worker in live for queue in (*worker.queues, *worker.paused)):
        yield Finding(Level.WRONG, "no worker reads pages: start one with `make up` or `celery -A tasks.app worker`")


def _structure(live: list[Worker]) -> Iterator[Finding]:
    """Whether the workers that read pages have the layout models. Older versions do not say."""
    for worker in live:
        if worker.structure == Structure.RULES:
            yield Finding(
                Level.WARNING,
                f"worker {worker.host} ({worker.pid}) has no layout models, so it finds headings and tables by rules "
                "alone; run `make setup` there",
            )
    if any(worker.structure == Structure.MODELS for worker in live):
        yield Finding(Level.OK, "the structure of pages is found with the layout models")


def _poor_pages(live: list[Worker]) -> Iterator[Finding]:
    """Whether an engine that should read poorly read pages only does so."""
    served = {name for worker in live for name in worker.engines}
    wanted = {n for worker in live for n, about in worker.engines.items() if about.get("pages") == POOR_PAGES}
    poor = for_poor_pages(live)
    for name in sorted(wanted):
        if name not in poor:
            text = (
                f"{name} reads all pages, since not all of its workers have OCR_VLM_PAGES=poor: set it in all of them"
            )
        elif served == poor:
            text = f"{name} reads all pages, although OCR_VLM_PAGES is poor: no worker serves another engine"
        else:
            yield Finding(Level.OK, f"{name} reads only pages that another engine has read poorly, or cannot read")
            continue
        yield Finding(Level.WARNING, text)


def _reconciler(client: Client, live: list[Worker]) -> Iterator[Finding]:
    last = cast("str | None", client.redis.hget(names.RECONCILER, "last"))
    now = client.ledger.now()
    age = now - float(last) if last else None
    up = max((now - worker.started for worker in serving(live, names.MAINTENANCE_QUEUE)), default=None)
    if (age is None or age >= _RECONCILER_SECONDS) and up is not None and 0 <= up < _RECONCILER_SECONDS:
        yield Finding(
            Level.NOTE, f"the reconciler has not run since its worker started {up:.0f} s ago; look again in a minute"
        )
        return
    yield _check(
        age is not None and age < _RECONCILER_SECONDS,
        f"the reconciler ran {age or 0:.0f} s ago",
        "the reconciler does not run, so what a process that died has left undone stays so, and who waits for it "
        f"without a timeout waits for ever: {_BEAT}",
    )


def _spool(client: Client) -> Iterator[Finding]:
    try:
        client.spool.check()
    except StorageError as e:
        yield Finding(Level.WRONG, e.message)
        return
    yield Finding(Level.OK, f"the spool {client.settings.spool} can be written")
    if client.spool.is_local:
        disk = shutil.disk_usage(Path(client.settings.spool.removeprefix("file://")).expanduser())
        free = f"{disk.free / 10**9:.1f} GB ({disk.free / disk.total:.0%}) of the spool's disk are free"
        yield _check(
            disk.free >= _FREE_BYTES and disk.free >= _FREE_SHARE * disk.total,
            free,
            f"only {free}: remove files",
        )


def _cache(client: Client) -> Iterator[Finding]:
    if used := cast("str | None", client.redis.hget(names.CACHE, "bytes")):
        yield Finding(Level.OK, f"the page cache holds {int(used) / 10**9:.2f} GB")


def _same_spool(client: Client) -> Iterator[Finding]:
    """Workers write end.json into their spool when a job ends; if it is missing here, they use another spool."""
    now = client.ledger.now()
    some = chain(client.jobs_part(JobFilter(), _LOOKED_AT).items, islice(client.each_job(), _LOOKED_AT))
    settled = list(islice((job.id for job in some if job.ended and now - job.ended > 60), _ENDED_LOOKED_AT))
    try:
        marked = [job for job in settled if client.spool.exists(job, END)]
    except StorageError:
        return  # reported by another check
    if settled:
        yield _check(
            bool(marked),
            "the workers use the same spool",
            "the workers use another spool: set OCR_SPOOL_URL (and OCR_DATA_DIR) to the same on every machine",
        )


def _jobs(client: Client) -> Iterator[Finding]:
    backlog, limit = client.ledger.backlog(), client.settings.max_queued_pages
    yield _check(
        backlog < limit,
        f"{backlog:,} pages are waiting, of {limit:,} allowed",
        f"{backlog:,} pages are waiting, of {limit:,} allowed: wait, or raise OCR_MAX_QUEUED_PAGES",
    )
    dead = client.redis.zcard(names.DEAD)
    yield _check(
        not dead,
        "no failed page waits for a retry",
        f"failed pages that a retry may read: {dead}; see `submit.py dead`, then `submit.py retry JOB` or `drop JOB`",
    )
    before = client.ledger.now() - _RECONCILER_SECONDS
    if untold := client.redis.zcount(names.UNPUBLISHED, "-inf", before):
        yield Finding(Level.WRONG, f"ended jobs whose clients still wait, because nobody was told: {untold}; {_BEAT}")
    yield from _stuck(client)


def _stuck(client: Client) -> Iterator[Finding]:
    """The open jobs that do not progress. Those are sooner or later among the oldest, so it looks at no others."""
    minutes = settings.stuck_minutes()
    jobs = client.oldest_open(_OPEN_LOOKED_AT)
    with client.redis.pipeline(transaction=False) as pipe:
        for job in jobs:
            pipe.hget(names.job_key(job.id), "moved")
        moved = [float(at or job.created) for job, at in zip(jobs, pipe.execute(), strict=True)]
    now = client.ledger.now()
    stuck = [job for job, at in zip(jobs, moved, strict=True) if now - at > minutes * 60]
    for job in stuck[:_STUCK_SHOWN]:
        why = job.waiting_for or f"see the workers' logs, or `submit.py cancel {job.id}`"
        yield Finding(Level.WRONG, f"job {job.id} ({job.name}) has not progressed for {minutes} minutes: {why}")
    if len(stuck) > _STUCK_SHOWN:
        others = f"{len(stuck) - _STUCK_SHOWN} others of the {len(jobs)} oldest open jobs"
        yield Finding(Level.WRONG, f"{others} have not progressed either")
    if not stuck:
        yield Finding(Level.OK, "no job is stuck")


def _flower() -> Iterator[Finding]:
    host, port = (
        settings.given("OCR_FLOWER_ADDRESS") or "127.0.0.1",
        settings.integer("OCR_FLOWER_PORT", 5555, 1, 65535),
    )
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        yield Finding(Level.NOTE, f"Flower does not run at {host}:{port}; it only shows the queue")
    else:
        yield Finding(Level.OK, f"Flower shows the queue at http://{host}:{port}")


def _api() -> Iterator[Finding]:
    host = settings.given("OCR_HTTP_ADDRESS") or "127.0.0.1"
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    url = f"http://{shown}:{settings.integer('OCR_HTTP_PORT', 8000, 1, 65535)}"
    yield from examine_api(RemoteSettings(url, None), is_wanted=False)


def _blas(live: list[Worker]) -> Iterator[Finding]:
    """Whether MLX finds a fast BLAS on this Linux machine: a warning if MLX reads here without one, else a note."""
    if not blas.is_wanted():
        return
    if found := blas.find_blas():
        yield Finding(Level.OK, f"MLX multiplies with {found}")
    else:
        is_served = any("mlx-vlm" in worker.engines and worker.host == settings.hostname() for worker in live)
        level = Level.WARNING if is_served or settings.given("OCR_MODEL") else Level.NOTE
        yield Finding(level, f"without a fast BLAS, MLX reads ten times slower on this machine's CPU: {blas.ADVICE}")


def _tesseract() -> Iterator[Finding]:
    """Whether Tesseract and its language data are on this machine, where it is installed or is to be served.

    Raises SettingsError also elsewhere, as workers do there.
    """
    engine = Tesseract()
    served = settings.given("OCR_WORKER_ENGINES").replace(" ", "").split(",")
    if not installed("tesserocr") and "tesseract" not in served:
        return
    try:
        engine.default_model()
        engine.check_default()
    except OcrError as e:
        yield Finding(Level.WARNING, e.message)
    else:
        yield Finding(Level.OK, f"tesseract has data for {shown(engine.languages())}")
