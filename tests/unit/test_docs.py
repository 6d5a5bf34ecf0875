"""The documentation names everything that the code has, and nothing else."""

import ast
import inspect
import json
import re
from collections.abc import Iterator

from ocrqueue import __version__, names
from ocrqueue.engines.mlx import recipes
from ocrqueue.errors import CODES, DOCUMENT_CODES, PAGE_CODES, SHARED_CODES
from ocrqueue.formats import FORMATS
from ocrqueue.states import JobState
from ocrqueue.steps.end import summarise
from tests.support.documentation import pages, table_rows
from tests.support.harness import PROJECT
from tests.unit.client.test_status import job

DOCS = PROJECT / "docs"
SETTING = re.compile(r"OCR_[A-Z_]+|REDIS_URL")
# Variables by which the parent of a worker passes values to its children.
INTERNAL = {"OCR_WORKER_ID", "OCR_WORKER_NAME", "OCR_SERVED"}


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def code() -> Iterator[ast.Module]:
    files = [PROJECT / "worker_config.py", *(PROJECT / "ocrqueue").rglob("*.py"), *(PROJECT / "worker").rglob("*.py")]
    yield from (ast.parse(path.read_text()) for path in files)


def documented() -> dict[str, str]:
    """The default of each setting in docs/settings.md."""
    rows = [row for row in table_rows(DOCS / "settings.md") if row[0].startswith("`")]
    assert len({row[0] for row in rows}) == len(rows), "a setting is there twice"
    return {row[0].strip("`"): row[1] for row in rows}


def test_every_setting_is_documented() -> None:
    settings = {text for tree in code() for text in strings(tree) if SETTING.fullmatch(text)}
    assert len(settings) > 40
    assert documented().keys() == settings - INTERNAL


def test_the_defaults_are_those_of_the_code() -> None:
    """Only for constants of the code. Other defaults depend on the machine and are described in words."""
    said, compared = documented(), 0
    for tree in code():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            match call.args:
                case [ast.Constant(value=str(name)), ast.Constant(value=default), *_] if name in said:
                    compared += 1
                    shown = {"": ("not set",), True: ("1",), False: ("0",)}.get(default, (str(default), f"`{default}`"))
                    assert said[name] in shown or default == "", f"{name}: {said[name]!r} is not {default!r}"
    assert compared > 25


def keys() -> Iterator[str]:
    """Every key of `names`, written as docs/architecture.md writes it."""
    for name, value in vars(names).items():
        if (
            isinstance(value, str)
            and value.startswith(names.PREFIX)
            and value != names.PREFIX
            and not name.startswith("_")
        ):
            if not value.endswith(":"):
                yield value
        elif inspect.isfunction(value) and name.endswith(("_key", "_channel")):
            parameters = list(inspect.signature(value).parameters)
            yield value(*(f"<{parameter}>" for parameter in parameters))


def test_every_redis_key_is_documented() -> None:
    said = {
        row[0].strip("`") for row in table_rows(DOCS / "architecture.md") if row[0].startswith(("`ocr:", "`celery-"))
    }
    assert said == set(keys())


def test_every_error_code_is_documented() -> None:
    rows = table_rows(DOCS / "results.md")
    for where, codes in (("document", DOCUMENT_CODES), ("page", PAGE_CODES), ("either", SHARED_CODES)):
        (row,) = [row for row in rows if row[0] == where]
        assert set(row[1].replace("`", "").split()) == codes
    explained = [code.strip(" `") for row in rows if len(row) == 2 and "_" in row[0] for code in row[0].split(",")]
    assert CODES - {"timeout", "cancelled"} <= set(explained)


def test_every_format_and_state_is_documented() -> None:
    rows = table_rows(DOCS / "results.md")
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows}
    assert {name: shown.get(name) for name in FORMATS} == {name: f.extension for name, f in FORMATS.items()}
    assert {str(state) for state in JobState} <= shown.keys()


def test_every_known_type_of_model_is_documented() -> None:
    rows = " ".join(row[0] for row in table_rows(DOCS / "models.md"))
    known = {kind for model in recipes.RECIPES for kind in model.types}
    assert {kind for kind in known if f"`{kind}`" not in rows} == set()


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (PROJECT / "README.md").read_text()
    assert text.count("\n") <= 150
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert len(links) > 8
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_paths_that_the_pages_name_exist() -> None:
    """Files and folders of the project, as `ocrqueue/...`, `tests/...`, `deploy/...`."""
    path = re.compile(r"`((?:ocrqueue|tests|deploy|bench|worker|tasks)/[\w./-]*)[*]?`")
    named = {(page.name, found) for page in pages() for found in path.findall(page.read_text())}
    assert len(named) > 20
    assert [(page, found) for page, found in sorted(named) if not (PROJECT / found).exists()] == []


def test_the_site_loads_nothing_from_elsewhere() -> None:
    """No page has an image, script or style of another host; links are fine."""
    for page in pages():
        assert not re.search(r"!\[[^\]]*\]\(https?:|<(?:img|script|link|iframe)\b", page.read_text()), page


def test_the_changelog_has_this_version_with_its_date_below_what_is_unreleased() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text()
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles[0] == "Unreleased"
    releases = [re.fullmatch(r"(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)", title) for title in titles[1:]]
    assert all(releases), titles
    assert titles[1].startswith(f"{__version__} - ")
    dates = [release[2] for release in releases if release]
    assert dates == sorted(dates, reverse=True)


def test_the_changelog_of_a_version_is_short() -> None:
    """A reader wants to know what changes for them, not what was done."""
    sections = re.split(r"^## ", (PROJECT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    assert {section.split("\n")[0]: len(section.split()) for section in sections if len(section.split()) > 1500} == {}


def test_the_summary_of_a_job_has_the_fields_that_the_code_gives_it() -> None:
    (example,) = re.findall(r'(\{"job": [^`]*?"counts": [^`]*?\})\n', (DOCS / "sending-jobs.md").read_text())
    summary = summarise(job("done", pages=4, ok=4), None)  # type: ignore[arg-type] -- only for errors
    assert json.loads(example).keys() == summary.keys()


def test_a_receiver_of_webhooks_is_told_the_time_that_it_has() -> None:
    text = (DOCS / "webhooks.md").read_text()
    assert re.findall(r"within (\d+) seconds \(`OCR_WEBHOOK_SECONDS`\)", text) == [documented()["OCR_WEBHOOK_SECONDS"]]
