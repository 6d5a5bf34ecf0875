"""The thread of a worker's parent process that renews leases."""

import threading
from types import SimpleNamespace

import pytest

from ocrqueue.ledger import Step
from ocrqueue.states import Return
from worker import context
from worker.app import app
from worker.parent import keeper
from worker.parent.keeper import ClaimReturn, Keeper


def test_leases_are_renewed_while_the_storage_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, returned = threading.Event(), threading.Event()
    reasons: list[Return] = []

    def return_claim(job: str, token: str, reason: Return) -> Step:
        reasons.append(reason)
        returned.set()
        return Step(True)

    monkeypatch.setattr(context, "ledger", lambda: SimpleNamespace(return_claim=return_claim))
    monkeypatch.setattr(context, "spool", lambda: None)
    monkeypatch.setattr(keeper, "has_text", lambda *_: answers.wait(20))
    Keeper(SimpleNamespace(app=app), "one")._begin(ClaimReturn("job", "token", Return.TIMEOUT))
    assert not returned.is_set()  # it did not wait for the answer, so it can renew leases
    answers.set()
    assert returned.wait(20)
    assert reasons == [Return.LOST]
