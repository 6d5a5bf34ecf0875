"""The metrics of the queue for Prometheus: the figures of all workers and clients, read from Redis at each request."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ocrqueue import names
from ocrqueue.ledger.figures import STRUCTURE, Figures, Histogram, Labels
from ocrqueue.ledger.workers import Worker, serving
from ocrqueue.states import DeliveryState, PageState
from ocrqueue.web.monitoring.requests import REASONS

_PREFIX = "ocrqueue_"
_ENDS = (PageState.OK, PageState.FAILED, PageState.CANCELLED)
# of a call of a webhook, as settle_delivery.lua counts them
_OUTCOMES = ("retried", DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.GONE)


def families(figures: Figures, workers: Iterable[Worker], spool_works: bool) -> Iterator[Metric]:
    """The metrics of these figures and live workers. No label has values that grow with the number of jobs."""
    live = list(workers)
    yield from _counts(figures, live)
    yield from _health(figures, spool_works)
    yield from _histograms(figures)
    yield from _events(figures.events)
    yield from _workers(live)


def _counts(figures: Figures, live: list[Worker]) -> Iterator[Metric]:
    states: dict[Labels, int] = {(state.value,): number for state, number in figures.jobs.items()}
    yield _gauges("jobs", "Jobs that are kept in Redis.", ["state"], states)
    text = "Pages that are not finished. A document that is not opened yet counts as ten pages, of engine unknown."
    yield _gauges("pages_open", text, ["engine", "priority"], figures.pages_open)
    text = "Seconds since the oldest open page was submitted or retried; 0 if no page is open."
    yield _gauge("oldest_open_page_seconds", text, figures.oldest)
    text = "Seconds since the oldest job that has not ended was submitted; 0 if all have ended."
    yield _gauge("oldest_open_job_seconds", text, figures.oldest_job)
    yield _gauge("dead_pages", "Failed pages that a retry may read.", figures.dead)
    text = "Pages that ended. A page that is retried ends again."
    engines = {STRUCTURE}.union(*(worker.engines for worker in live))
    known = [(engine, state) for engine in engines for state in _ENDS]
    yield _counters("pages", text, ["engine", "state"], figures.pages, known)
    text = "Pages that were taken from the page cache; they are among ocrqueue_pages_total."
    yield _counters("pages_cached", text, ["engine"], figures.cached)


def _health(figures: Figures, spool_works: bool) -> Iterator[Metric]:
    if figures.reconciled is not None:
        yield _gauge("reconciler_age_seconds", "Seconds since the reconciler last ran.", figures.reconciled)
    yield _gauge("cache_bytes", "Size of the page cache in the spool.", figures.cache_bytes)
    yield _gauge("spool_ok", "1 if the spool can be read and written, else 0.", spool_works)


def _histograms(figures: Figures) -> Iterator[Metric]:
    engine, priority = "engine", "priority"
    text = "Seconds of the engine for a page that was read."
    yield _histogram("page_seconds", text, [engine], figures.seconds)
    text = "Seconds from the submission of a page, or its retry, until a worker took it for the first time."
    yield _histogram("page_wait_seconds", text, [engine, priority], figures.wait)
    text = "Mean confidence of a page's lines, 0 to 1."
    yield _histogram("page_confidence", text, [engine], figures.confidence)


def _events(events: Mapping[Labels, int]) -> Iterator[Metric]:
    """The events that `ocrqueue.ledger.figures.count` counted."""
    by_kind: dict[str, dict[Labels, int]] = defaultdict(dict)
    for (kind, what), number in events.items():
        by_kind[kind][(what,)] = number
    text = "Submissions and requests that were refused."
    yield _counters("refused", text, ["reason"], by_kind["refused"], [(reason,) for reason in REASONS])
    text = "Messages that workers dropped because they were malformed."
    yield _counters("messages", text, ["outcome"], by_kind["messages"], [("dropped",)])
    text = "Attempts to call the webhook of a job."
    yield _counters("webhook_deliveries", text, ["outcome"], by_kind["webhook"], [(outcome,) for outcome in _OUTCOMES])


def _workers(live: list[Worker]) -> Iterator[Metric]:
    def by_engine(value: Callable[[Worker], int]) -> dict[Labels, int]:
        found: dict[Labels, int] = defaultdict(int)
        for worker in live:
            for engine in worker.engines:
                found[(engine,)] += value(worker)
        return found

    yield _gauges("workers", "Live workers that read pages with an engine.", ["engine"], by_engine(lambda _: 1))
    text = "Child processes of live workers that read pages with an engine."
    yield _gauges("children", text, ["engine"], by_engine(lambda worker: worker.children))
    yield _gauges(
        "queue_children", "Child processes of live workers that take from a queue.", ["queue"], _by_queue(live)
    )
    documents = len(serving(live, names.DOCUMENTS_QUEUE))
    yield _gauge("document_workers", "Live workers that open documents and put results together.", documents)
    text = "Resident memory of a worker's child process, a few seconds ago. Children of a host count from 0."
    yield _gauges("child_rss_bytes", text, ["host", "child"], _memory(live))


def _by_queue(live: list[Worker]) -> dict[Labels, int]:
    found: dict[Labels, int] = defaultdict(int)
    for worker in live:
        for queue in worker.queues:
            if not queue.startswith(names.models_queue("")):  # one for each machine
                found[(queue,)] += worker.children
    return found


def _memory(live: list[Worker]) -> dict[Labels, int]:
    by_host: dict[str, list[int]] = defaultdict(list)
    for worker in live:
        by_host[worker.host] += worker.memory
    return {(host, str(i)): rss for host, found in by_host.items() for i, rss in enumerate(found)}


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _gauges(name: str, text: str, labels: list[str], values: Mapping[Labels, int]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=labels)
    for found, value in sorted(values.items()):
        family.add_metric(found, value)
    return family


def _counters(
    name: str, text: str, labels: list[str], values: Mapping[Labels, int], known: Iterable[Labels] = ()
) -> Metric:
    """A counter, which is 0 for `known` labels without a value: Prometheus sees no increase where a series begins."""
    family = CounterMetricFamily(_PREFIX + name, text, labels=labels)
    for found, value in sorted({**dict.fromkeys(known, 0), **values}.items()):
        family.add_metric(found, value)
    return family


def _histogram(name: str, text: str, labels: list[str], values: Mapping[Labels, Histogram]) -> Metric:
    family = HistogramMetricFamily(_PREFIX + name, text, labels=labels)
    for found, histogram in sorted(values.items()):
        total, buckets = 0, []
        for bound, number in histogram.buckets.items():
            total += number
            buckets.append((f"{bound:g}", total))
        family.add_metric(found, [*buckets, ("+Inf", total + histogram.more)], histogram.sum)
    return family
