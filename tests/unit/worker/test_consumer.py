"""The order in which a worker asks its queues."""

from types import SimpleNamespace

import pytest
from celery.worker import state

from worker.parent.consumer import Turns


class Request:
    """A message that a child works on."""

    def __init__(self, queue: str) -> None:
        self.delivery_info = {"routing_key": queue}


@pytest.mark.parametrize(
    ("children", "busy", "asked"),
    [
        (3, [], ["documents", "maintenance"]),
        (3, ["maintenance", "documents"], ["documents", "maintenance"]),
        (3, ["maintenance", "maintenance"], ["documents"]),
        (2, ["maintenance"], ["documents"]),
        (2, ["documents"], ["documents", "maintenance"]),
        (1, [], ["documents", "maintenance"]),
    ],
)
def test_maintenance_never_takes_the_last_child(
    monkeypatch: pytest.MonkeyPatch, children: int, busy: list[str], asked: list[str]
) -> None:
    requests = {Request(queue) for queue in busy}
    monkeypatch.setattr(state, "reserved_requests", requests)
    monkeypatch.setattr(Turns, "pool", SimpleNamespace(num_processes=children))
    assert Turns(["documents", "maintenance"]).consume(2) == asked


def test_a_worker_for_maintenance_alone_takes_as_much_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "reserved_requests", {Request("maintenance")})
    monkeypatch.setattr(Turns, "pool", SimpleNamespace(num_processes=2))
    assert Turns(["maintenance"]).consume(1) == ["maintenance"]
