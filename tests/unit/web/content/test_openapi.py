"""The OpenAPI document: it is that of the application, and complete."""

import json

from scripts.openapi import TARGET, text

DOCUMENT = json.loads(text())
OPERATIONS = [(method, path, item[method]) for path, item in DOCUMENT["paths"].items() for method in item]


def test_the_document_is_that_of_the_application() -> None:
    assert TARGET.read_text() == text(), "write it again: .venv/bin/python -m scripts.openapi"


def test_every_endpoint_is_described_with_its_answers() -> None:
    assert len(OPERATIONS) > 12
    for method, path, operation in OPERATIONS:
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert {"401", "422", "429", "500", "503"} <= operation["responses"].keys(), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        for status, answer in operation["responses"].items():
            if status >= "4":
                assert list(answer["content"]) == ["application/problem+json"], f"{where} {status}"


def test_every_reference_leads_to_a_schema() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    used = {part.split('"')[0] for part in json.dumps(DOCUMENT).split("#/components/schemas/")[1:]}
    assert used == set(schemas)
