"""Checks of the HTTP API: whether it runs, is ready, and takes the key. They need neither Redis nor the spool."""

from collections.abc import Iterator

from ocrqueue.client.findings import Finding, Level
from ocrqueue.client.remote.api import Api
from ocrqueue.client.remote.settings import RemoteSettings
from ocrqueue.errors import OcrError


def examine_api(settings: RemoteSettings, is_wanted: bool = True) -> Iterator[Finding]:
    """Check the API at a URL. Unless it `is_wanted`, faults are only warnings, and a note if none runs."""
    api, wrong = Api(settings), Level.WRONG if is_wanted else Level.WARNING
    try:
        is_ours = api.probe("/livez").is_success
    except OcrError as e:
        missing = f"the HTTP API does not run at {settings.url}; other clients do not need it"
        yield Finding(Level.WRONG, e.message) if is_wanted else Finding(Level.NOTE, missing)
        return
    if not is_ours:
        name = "OCR_API_URL" if is_wanted else "OCR_HTTP_PORT"
        yield Finding(wrong, f"what answers at {settings.url} is not the HTTP API: correct {name}")
        return
    yield Finding(Level.OK, f"the HTTP API answers at {settings.url}")
    try:
        yield _readiness(api, wrong)
        yield _key(api, settings.key, wrong)
    except OcrError as e:
        yield Finding(wrong, e.message)


def _readiness(api: Api, wrong: Level) -> Finding:
    answer = api.probe("/readyz")
    try:
        missing = [str(what) for what in answer.json()["missing"]]
    except (ValueError, KeyError, TypeError):
        missing = [f"/readyz answers {answer.status_code}"]
    if missing:
        return Finding(wrong, f"the HTTP API is not ready: {', '.join(missing)}; see `make up`, or its machine")
    return Finding(Level.OK, "the HTTP API is ready: pages that are submitted are read")


def _key(api: Api, key: str | None, wrong: Level) -> Finding:
    """What the API says of the key."""
    try:
        api.get("jobs", limit=1)
    except OcrError as e:
        if e.code == "key_rights":
            return Finding(Level.NOTE, "the API key of OCR_API_KEY may submit documents, but see no jobs")
        if e.code == "key_missing" and key is None:
            return Finding(Level.NOTE, "the HTTP API asks for a key, and OCR_API_KEY is not set")
        return Finding(wrong, f"the HTTP API: {e.message}")
    return Finding(Level.OK, "the HTTP API takes the key" if key else "the HTTP API asks for no key")
