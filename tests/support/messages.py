"""Messages that are sent as a program sends them that knows only Redis and JSON."""

import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from tests.support.harness import Stack

# The message that a program in any language sends with `LPUSH documents <message>`.
# `body` is the JSON [[], arguments, {}] in base64.
ENVELOPE = """
{
  "body": "<base64>",
  "content-type": "application/json",
  "content-encoding": "utf-8",
  "headers": {"task": "ocr.document", "id": "<job>"},
  "properties": {
    "body_encoding": "base64",
    "delivery_tag": "<job>",
    "delivery_info": {"exchange": "", "routing_key": "documents"}
  }
}
"""


def push(
    stack: Stack,
    body: object,
    task: str = "ocr.document",
    job: str | None = None,
    queue: str = "documents",
    changes: Mapping[str, Any] = MappingProxyType({}),
    **also: Any,
) -> str:
    """Send a message with changes to its envelope. Returns the job's id."""
    job = job or str(uuid4())
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    envelope = json.loads(ENVELOPE)
    envelope["body"] = base64.b64encode(raw).decode()
    envelope["headers"] = {"task": task, "id": job}
    envelope["properties"]["delivery_tag"] = str(uuid4())
    envelope["properties"]["delivery_info"]["routing_key"] = queue
    stack.redis.lpush(queue, json.dumps({**envelope, **changes, **also}))
    return job
