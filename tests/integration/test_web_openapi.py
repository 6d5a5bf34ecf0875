"""The OpenAPI document against the running server: schemathesis sends what it allows and what it does not."""

import json
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scripts.openapi import TARGET
from tests.support.harness import running
from tests.support.player import read
from tests.support.web import Web, start_web

schema = schemathesis.openapi.from_dict(json.loads(TARGET.read_text()))
# a test that begins a job or ends models is of another module; the stream of events stays open
schema = schema.exclude(method="POST", path="/api/v1/jobs").exclude(path_regex=r"/(events|unload)$")


# Not `positive_data_acceptance`: no schema says which cursors are valid. Not those of the header `Allow`: Starlette
# names the methods of the first of several endpoints on a path.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with running() as stack:
        client = stack.client()
        client.spool.prepare()
        for name in ("a.pdf", "b.pdf"):
            read(client, client.submit(name.encode(), name=name), failing=[2])
        yield start_web(stack)


@schema.parametrize()
@settings(
    max_examples=15, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_the_server_does_what_its_document_says(web: Web, case: schemathesis.Case) -> None:
    case.call_and_validate(base_url=web.url, checks=CHECKS)
