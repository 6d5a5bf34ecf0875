"""Flower starts only where other machines need a password to reach it, and keeps a bounded number of tasks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flower.events import EventsState

import worker_config as config
from worker import flower

PROJECT = Path(__file__).parents[3]


def test_flower_on_a_public_address_requires_a_password() -> None:
    env = {**os.environ, "OCR_FLOWER_ADDRESS": "0.0.0.0"}
    done = subprocess.run(
        [sys.executable, "-m", "worker.flower"], cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert done.stderr.strip() == (
        "ocr: OCR_FLOWER_ADDRESS='0.0.0.0' opens Flower to others: "
        "set OCR_FLOWER_PASSWORD=user:password too, or leave the address at 127.0.0.1"
    )


def test_flower_keeps_the_newest_tasks_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It writes all of them every minute, and does nothing meanwhile."""
    started: list[str] = []
    monkeypatch.setattr(config, "OCR_DATA_DIR", tmp_path)
    monkeypatch.setattr(os, "execv", lambda _, command: started.extend(command))
    flower.main()
    options = dict(option.removeprefix("--").split("=", 1) for option in started if "=" in option)
    most = int(options["max_tasks"])
    assert most <= 5000
    assert int(options["state_save_interval"]) >= 60_000
    state = EventsState(max_tasks_in_memory=most)
    for n in range(most + 100):
        state.event(
            {"type": "task-sent", "uuid": str(n), "hostname": "here", "timestamp": n, "local_received": n, "clock": n}
        )
    assert (len(state.tasks), next(iter(state.tasks))) == (most, "100")
