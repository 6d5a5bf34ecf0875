"""The Procfile, the configuration of supervisord, and the reports of processes that end."""

import configparser
from pathlib import Path

import pytest

from ocrqueue.stack.stack import (
    Process,
    Reporter,
    StackError,
    last_line,
    listeners,
    read_procfile,
    supervisor_config,
)

PROJECT = Path(__file__).parents[3]


def config(processes: list[Process], data: Path = Path("/data")) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(supervisor_config(processes, data))
    return parser


def test_a_procfile_holds_names_and_commands():
    text = "# comment\n\nredis: python -m ocrqueue.stack.embedded\nworker:  celery -n pages@%h -Q a,b: \n"
    assert read_procfile(text) == [
        Process("redis", "python -m ocrqueue.stack.embedded"),
        Process("worker", "celery -n pages@%h -Q a,b:"),
    ]


@pytest.mark.parametrize("line", ["worker", "worker:", ": command", "two words: command"])
def test_an_invalid_line_is_in_the_error(line):
    with pytest.raises(StackError, match="not of the form"):
        read_procfile(line)


def test_the_projects_own_procfile_has_all_six():
    processes = read_procfile((PROJECT / "Procfile").read_text())
    assert [p.name for p in processes] == ["redis", "worker", "documents", "beat", "flower", "web"]


def test_the_addresses_of_processes_that_listen_are_known(monkeypatch):
    monkeypatch.setenv("OCR_HTTP_PORT", "8100")
    monkeypatch.setenv("OCR_FLOWER_ADDRESS", "0.0.0.0")
    processes = [Process(name, "x") for name in ("redis", "web", "flower")]
    found = [(one.shown, one.address, one.port) for one in listeners(processes)]
    assert found == [("web UI", "127.0.0.1", 8100), ("Flower", "0.0.0.0", 5555)]
    assert list(listeners(processes[:1])) == []


def test_redis_starts_first_and_stops_last():
    parser = config([Process("worker", "w"), Process("redis", "r"), Process("beat", "b")])
    assert parser["group:broker"]["programs"] == "redis"
    assert parser["group:stack"]["programs"] == "worker,beat"
    assert parser.getint("group:broker", "priority") < parser.getint("group:stack", "priority")


def test_without_redis_there_is_no_group_for_it():
    assert "group:broker" not in config([Process("worker", "w")])


def test_percent_signs_are_doubled_for_supervisord():
    parser = config([Process("worker", "celery -n pages@%h")], Path("/da%ta"))
    assert parser["program:worker"]["command"] == "celery -n pages@%%h"
    assert parser["program:worker"]["stdout_logfile"] == "/da%%ta/logs/worker.log"


def test_a_worker_may_take_as_long_to_end_as_its_slowest_page(monkeypatch):
    monkeypatch.setenv("OCR_SHUTDOWN_SECONDS", "5000")
    assert config([Process("worker", "w")]).getint("program:worker", "stopwaitsecs") > 5000


def test_no_control_port_is_open():
    parser = config([Process("worker", "w")])
    assert not {"unix_http_server", "inet_http_server"} & set(parser.sections())


def test_only_the_main_process_of_a_worker_gets_the_signal():
    program = config([Process("worker", "w")])["program:worker"]
    assert program["stopsignal"] == "TERM"
    assert "stopasgroup" not in program
    assert program.getint("stopwaitsecs") > 35


EXITED = "2026-11-21 08:00:00,000 INFO exited: worker (exit status 1; not expected)\n"
RUNNING = (
    "2026-11-21 08:00:00,000 INFO success: worker entered RUNNING state, process has stayed up for > than 5 seconds\n"
)


def test_the_end_of_a_process_is_reported_with_the_last_line_of_its_log(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").write_text("one\nOCR_DPI='x' is not allowed\n\n")
    reported = Reporter(tmp_path).report(EXITED)
    assert reported
    assert reported.startswith("worker ended (exit status 1) and is restarted")
    assert reported.endswith("OCR_DPI='x' is not allowed")


def test_repeated_ends_are_reported_less_and_less_often(tmp_path):
    reporter = Reporter(tmp_path)
    reported = [count for count in range(1, 61) if reporter.report(EXITED)]
    assert reported == [1, 3, 10, 30, 60]


def test_the_end_of_a_process_that_stayed_up_is_reported_again(tmp_path):
    reporter = Reporter(tmp_path)
    assert reporter.report(EXITED)
    assert reporter.report(EXITED) is None
    reporter.report(RUNNING)
    assert reporter.report(EXITED)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("INFO spawnerr: can't find command 'celery'", "can't find command 'celery'"),
        ("WARN killing 'worker' (123) with SIGKILL", "worker did not stop within 45 s"),
        ("WARN received SIGTERM indicating exit request", "stopping"),
    ],
)
def test_other_events_are_reported(tmp_path, line, said):
    assert said in (Reporter(tmp_path).report(line) or "")


def test_it_is_said_once_that_all_processes_have_started(tmp_path):
    reporter = Reporter(tmp_path, ("redis", "web"))
    lines = [f"INFO success: {name} entered RUNNING state" for name in ("web", "web", "redis", "web")]
    assert [reporter.report(line) for line in lines] == [None, None, "all processes have started", None]


@pytest.mark.parametrize("line", ["INFO spawned: 'worker' with pid 1", "CRIT Supervisor is running as root.", ""])
def test_other_lines_are_not_reported(tmp_path, line):
    assert Reporter(tmp_path).report(line) is None


def test_the_last_line_of_a_log_is_safe_to_print(tmp_path):
    log = tmp_path / "x.log"
    log.write_bytes(b"a" * 10_000 + b"\n\x1b[31mred \xff\n \n")
    assert last_line(log) == "[31mred \ufffd"
    assert last_line(tmp_path / "none.log") == ""
