"""A client of an event stream, as `EventSource` reads one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    id: str
    kind: str
    data: Any  # from JSON


def events(response: httpx2.Response) -> Iterator[Event]:
    """The events of a stream, each when it comes. Comments are left out."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if not line and "event" in fields:
            yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
        fields = {**fields, name: value} if line else {}
