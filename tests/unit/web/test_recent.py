"""Values that may be a second old: found out once, however many ask, and again after an error."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocrqueue.web import recent
from ocrqueue.web.recent import Recent


def test_many_who_ask_at_once_get_one_value():
    asked, release, values = [], threading.Event(), Recent()

    def find():
        asked.append(1)
        release.wait(10)
        return "value"

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(values.get, "name", find) for _ in range(8)]
        release.set()
        assert [one.result(10) for one in found] == ["value"] * 8
    assert asked == [1]


def test_each_name_has_a_value_of_its_own():
    values = Recent()
    assert [values.get(name, lambda name=name: name * 2) for name in (1, 2, 1)] == [2, 4, 2]


def test_an_old_value_is_found_out_again_and_forgotten(monkeypatch):
    monkeypatch.setattr(recent, "SECONDS", -1.0)
    values, counts = Recent(), iter(range(9))
    assert [values.get("name", lambda: next(counts)) for _ in range(3)] == [0, 1, 2]
    values.get("other", str)
    assert list(values._kept) == ["other"]


def test_an_error_is_not_kept():
    values = Recent()
    with pytest.raises(ZeroDivisionError):
        values.get("name", lambda: 1 // 0)
    assert values.get("name", lambda: 3) == 3
