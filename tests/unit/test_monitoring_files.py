"""The dashboard and the alerts in deploy/ name metrics and labels that `/metrics` has, and nothing else."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.core import Metric

from ocrqueue.ledger.figures import BOUNDS, STRUCTURE, UNKNOWN, Figures, Histogram
from ocrqueue.ledger.workers import Worker
from ocrqueue.states import JobState, PageState
from ocrqueue.web.monitoring.metrics import families
from ocrqueue.web.monitoring.requests import Requests

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
_METRIC = re.compile(r"\bocrqueue_[a-z_]+")
_SELECTOR = re.compile(r"(ocrqueue_[a-z_]+)\{([^}]*)\}")
_BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")


def exported() -> dict[str, set[str]]:
    """Every sample that `/metrics` has, with the names of its labels."""
    histograms = {name: Histogram(dict.fromkeys(bounds, 1), 1, 1.0) for name, bounds in BOUNDS.items()}
    figures = Figures(
        jobs=dict.fromkeys(JobState, 1),
        pages_open={("rapidocr", "low"): 1},
        oldest=1.0,
        oldest_job=1.0,
        dead=1,
        pages={("rapidocr", PageState.OK): 1},
        cached={("rapidocr",): 1},
        seconds={("rapidocr",): histograms["seconds"]},
        wait={("rapidocr", "low"): histograms["wait"]},
        confidence={("rapidocr",): histograms["confidence"]},
        events={("refused", "queue_full"): 1, ("webhook", "delivered"): 1},
        reconciled=1.0,
        cache_bytes=1,
    )
    requests = Requests()
    requests.total.labels("GET", "/", "200").inc()
    requests.seconds.labels("GET", "/").observe(1)
    worker = Worker("w", "host", 1, "0", ("documents",), {"rapidocr": {}}, memory=(1,))
    found: list[Metric] = [*families(figures, [worker], spool_works=True), *requests.registry.collect()]
    return {sample.name: set(sample.labels) for metric in found for sample in metric.samples}


def fresh() -> dict[str, list[dict[str, str]]]:
    """The labels of every sample that `/metrics` has while Redis is empty and no worker runs."""
    jobs = dict.fromkeys(JobState, 0)
    figures = Figures(jobs, {}, 0.0, 0.0, 0, {}, {}, {}, {}, {}, {}, reconciled=None, cache_bytes=0)
    found: dict[str, list[dict[str, str]]] = {}
    for metric in families(figures, [], spool_works=True):
        for sample in metric.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def expressions(of: str = "all") -> list[tuple[str, str]]:
    """Where each expression of the dashboard and the alerts is, and the expression; or of the alerts only."""
    board = json.loads((DEPLOY / "grafana" / "ocr-queue.json").read_text())
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "ocr-queue.rules.yml").read_text())
    alerts = [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]
    return alerts if of == "alerts" else found + alerts


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_an_expression_uses_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    there = exported()
    used = set(_METRIC.findall(expression))
    assert used <= there.keys(), where
    labels = set().union(*(there[name] for name in used))
    assert {word.strip() for group in _BY.findall(expression) for word in group.split(",")} <= labels, where
    for name, selector in _SELECTOR.findall(expression):
        assert set(re.findall(r"(\w+)[!=~]+\"", selector)) <= there[name], where
    assert expression.count("(") == expression.count(")"), where


@pytest.mark.parametrize(("alert", "expression"), expressions("alerts"))
def test_an_alert_can_fire_on_a_fresh_stack(alert: str, expression: str) -> None:
    """A series that is missing then is looked for, or means that nothing is wrong."""
    there = fresh()
    assert ("up{" in expression) == ("absent(up{" in expression)  # no web process is found
    for name in set(_METRIC.findall(expression)) - there.keys():
        assert f"absent({name})" in expression or alert == "OcrQueueEngineWithoutWorker", (
            name
        )  # pages wait `unless` ...
    for name, selector in _SELECTOR.findall(expression):
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', selector))
        assert not wanted or any(wanted.items() <= labels.items() for labels in there[name]), name


def test_no_pages_in_ten_minutes_count_as_none_also_without_a_series() -> None:
    said = dict(expressions("alerts"))["OcrQueueReadsNothing"]
    assert re.search(r"and \(sum\(.*\) or vector\(0\)\) == 0$", said)


def test_no_worker_is_wanted_for_pages_without_an_engine() -> None:
    """Workers of all engines take the pages of a structuring, and those of unopened documents have no engine yet."""
    (left_out,) = re.findall(r'engine!~"([^"]*)"', dict(expressions("alerts"))["OcrQueueEngineWithoutWorker"])
    assert set(left_out.split("|")) == {UNKNOWN, STRUCTURE}


def test_counters_are_0_before_the_first_is_counted() -> None:
    worker = Worker("w", "host", 1, "0", (), {"rapidocr": {}})
    figures = Figures({}, {}, 0.0, 0.0, 0, {("old", "ok"): 2, ("rapidocr", "ok"): 3}, {}, {}, {}, {},
                      {("webhook", "gone"): 4}, None, 0)  # fmt: skip
    found = {
        (sample.name.removeprefix("ocrqueue_"), *sample.labels.values()): sample.value
        for metric in families(figures, [worker], spool_works=True)
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    ends = ("ok", "failed", "cancelled")
    zeros = [("pages_total", engine, state) for engine in ("rapidocr", "structure") for state in ends]
    zeros += [("refused_total", reason) for reason in ("queue_full", "too_large", "unsupported_format", "too_many")]
    zeros += [("webhook_deliveries_total", outcome) for outcome in ("delivered", "retried", "failed", "gone")]
    zeros += [("messages_total", "dropped")]
    counted = {("pages_total", "old", "ok"): 2, ("pages_total", "rapidocr", "ok"): 3}
    assert found == dict.fromkeys(zeros, 0) | counted | {("webhook_deliveries_total", "gone"): 4}


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for _, expression in expressions() for name in _METRIC.findall(expression)}
    ends = ("_bucket", "_sum", "_count", "_created")
    kinds = {name for name in exported() if not name.endswith(ends)} | {n for n in exported() if n.endswith("_bucket")}
    assert kinds - shown == set()


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = json.loads((DEPLOY / "grafana" / "ocr-queue.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in panels):
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_alert_says_what_to_do() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "ocr-queue.rules.yml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["for"]


def test_the_example_for_prometheus_loads_the_alerts() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert [(DEPLOY / "prometheus" / name).exists() for name in config["rule_files"]] == [True]
    (job,) = config["scrape_configs"]
    assert any(f'job="{job["job_name"]}"' in expression for _, expression in expressions())


def test_every_metric_is_documented() -> None:
    said = set(_METRIC.findall(DOCS.read_text()))
    names = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in exported()}
    names = {name for name in names if f"{name}_total" not in exported()}
    assert names == said
