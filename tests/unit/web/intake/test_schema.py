"""The OpenAPI document names the parameters that the API takes."""

from ocrqueue.web.intake.parameters import NAMES, SECRETS
from ocrqueue.web.intake.schema import ORIGINAL, SUBMISSION


def test_every_parameter_is_described() -> None:
    content = SUBMISSION["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]["properties"].keys()
    assert form - {"file"} == set(NAMES)
    assert content["application/json"]["schema"]["properties"].keys() - {"url"} == set(NAMES)
    assert {parameter["name"] for parameter in SUBMISSION["parameters"]} == set(NAMES) - SECRETS
    original = ORIGINAL["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"].keys()
    assert original - {"file", "image"} == set(NAMES)
