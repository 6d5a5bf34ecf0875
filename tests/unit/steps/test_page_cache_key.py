"""The key of the page cache: everything that decides the text of a page changes it, and nothing else does."""

import ast
import shutil
import sys
from dataclasses import fields, replace
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ocrqueue import engines
from ocrqueue.engines import Model
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.engines.mlx.settings import mlx_settings
from ocrqueue.ledger import Job, Source
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.steps import page_cache_key
from ocrqueue.steps.page_cache_key import cache_key, key_of, reads_as
from ocrqueue.storage.spool import Spool
from tests.support.engines import Numbered, Quick

JOB = "5f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c11"
MODEL = Model("model", "1")
MATTER = {"lang": "de", "dpi": 300, "text_layer": "ignore"}
NO_MATTER = {
    "pages": "1-2",
    "engine": "numbered",
    "model": "model",
    "priority": "high",
    "formats": ("text",),
    "structure": True,
    "keep_running_heads": True,
    "fresh": True,
    "notify": ("a.task", "a-queue"),
}
BEFORE = reads_as(Numbered(), MODEL, Limits())


def test_every_option_is_in_the_key_or_known_not_to_matter() -> None:
    assert {f.name for f in fields(Options)} == MATTER.keys() | NO_MATTER.keys()


@pytest.mark.parametrize("name", MATTER)
def test_an_option_that_changes_the_text_changes_the_key(name: str) -> None:
    assert cache_key("5", Options(**{name: MATTER[name]}), "a") != cache_key("5", Options(), "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NO_MATTER)
def test_other_options_do_not_change_the_key(name: str) -> None:
    assert cache_key("5", Options(**{name: NO_MATTER[name]}), "a") == cache_key("5", Options(), "a")  # type: ignore[arg-type]


def test_names_of_the_same_language_make_the_same_key() -> None:
    keys = [cache_key("5", Options(lang=lang), "a") for lang in ("ru+en", "rus+eng", "en+ru", "ru")]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_other_bytes_or_another_way_of_reading_change_the_key() -> None:
    keys = {cache_key("5", Options(), "a"), cache_key("6", Options(), "a"), cache_key("5", Options(), "b")}
    assert len(keys) == 3


def test_how_a_worker_reads_depends_on_engine_model_and_limits() -> None:
    class Sharper(Numbered):
        dpi = 300

        def fingerprint(self) -> str:
            return "Numbered"

    assert reads_as(Numbered(), MODEL, Limits(page_seconds=1, open_seconds=1, load_seconds=1, max_pages=1)) == BEFORE
    others = [
        reads_as(Quick(), MODEL, Limits()),
        reads_as(Sharper(), MODEL, Limits()),
        reads_as(Numbered(), Model("other", "1"), Limits()),
        reads_as(Numbered(), Model("model", "2"), Limits()),
        reads_as(Numbered(), MODEL, Limits(max_pixels=1)),
        reads_as(Numbered(), MODEL, Limits(max_source_pixels=1)),
    ]
    assert len({BEFORE, *others}) == 7
    assert reads_as(Numbered(), Model("model", "1", Path("/elsewhere")), Limits()) == BEFORE


def test_how_a_worker_reads_depends_on_the_engines_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ENGINE_FINGERPRINT", "other settings")
    assert reads_as(Numbered(), MODEL, Limits()) != BEFORE


@pytest.mark.parametrize("package", page_cache_key.LIBRARIES)
def test_how_a_worker_reads_depends_on_its_libraries(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache_key, "installed", lambda name: "0.0" if name == package else engines.installed(name))
    assert reads_as(Numbered(), MODEL, Limits()) != BEFORE


# -- the code that decides a text -------------------------------------------------------------------------------------

# Modules that this code imports and that do not affect a text. A package stands for itself, not for its modules.
DECIDE_NOTHING = {
    "ocrqueue",
    "ocrqueue.engines",
    "ocrqueue.engines.holder",
    "ocrqueue.engines.tesseract",
    "ocrqueue.engines.tesseract.data",  # the advice of a warning
    "ocrqueue.errors",
    "ocrqueue.ledger",
    "ocrqueue.ledger.workers",
    "ocrqueue.limits",  # its values are part of `reads_as`
    "ocrqueue.names",
    "ocrqueue.options",  # its values are part of the key
    "ocrqueue.process",
    "ocrqueue.process.cancellation",
    "ocrqueue.process.garbage",
    "ocrqueue.process.memory",
    "ocrqueue.process.watchdog",
    "ocrqueue.states",
    "ocrqueue.steps",
    "ocrqueue.steps.page_cache",
    "ocrqueue.steps.page_cache_key",
    "ocrqueue.steps.structure",  # it decides blocks: see `structured_as`
    "ocrqueue.storage",
    "ocrqueue.storage.retry",
    "ocrqueue.storage.spool",
}
PACKAGE = Path(page_cache_key.__file__).parents[1]


def file_of(module: str) -> Path | None:
    """The file of a module of this project; None if the name is not a module."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()), None)


def imports_of(file: Path) -> set[str]:
    """Names of the modules that a file imports anywhere, and of the packages that contain them."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {".".join(name.split(".")[:n]) for name in found for n in range(1, name.count(".") + 2)}


def in_digest(file: Path) -> bool:
    return any(file.is_relative_to(PACKAGE / name) for name in page_cache_key.READING)


def reached() -> dict[str, Path]:
    """Modules of this project that `steps.read` imports; imports of a module outside the digest are not followed."""
    found: dict[str, Path] = {}
    waiting = ["ocrqueue.steps.read"]
    while waiting:
        module = waiting.pop()
        file = file_of(module) if module.startswith("ocrqueue") else None
        if file is None or module in found:
            continue
        found[module] = file
        if in_digest(file):
            waiting += imports_of(file)
    return found


def test_every_module_on_the_way_to_a_text_is_in_the_digest() -> None:
    """A new module is added to `READING`, or here to `DECIDE_NOTHING`."""
    assert {module for module, file in reached().items() if not in_digest(file)} <= DECIDE_NOTHING


@pytest.mark.thorough
def test_every_library_on_the_way_to_a_text_is_in_the_digest() -> None:
    names = {name.partition(".")[0] for file in reached().values() if in_digest(file) for name in imports_of(file)}
    names -= sys.stdlib_module_names | {"ocrqueue"}
    distributions = {installed for name in names for installed in packages_distributions().get(name, [name])}
    known = {name.lower() for name in page_cache_key.LIBRARIES}
    assert {name.lower().replace("_", "-") for name in distributions} <= known
    assert {"PIL", "cv2", "numpy", "pymupdf"} <= names


@pytest.mark.thorough
def test_a_change_of_any_file_on_the_way_changes_the_digest(tmp_path: Path) -> None:
    package = tmp_path / "ocrqueue"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = page_cache_key.source_digest(package, page_cache_key.READING)
    assert before == page_cache_key.source_digest(PACKAGE, page_cache_key.READING)
    for module, original in reached().items():
        file = package / original.relative_to(PACKAGE)
        content = file.read_bytes()
        file.write_bytes(content + b"#")
        changed = page_cache_key.source_digest(package, page_cache_key.READING) != before
        assert changed == in_digest(original), module
        file.write_bytes(content)
    (package / "layout" / "new.py").touch()
    assert page_cache_key.source_digest(package, page_cache_key.READING) != before


def test_how_a_worker_reads_depends_on_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache_key, "_READING_CODE", "other code")
    assert reads_as(Numbered(), MODEL, Limits()) != BEFORE


@pytest.mark.parametrize("path", engines.ENGINES.values())
def test_how_a_worker_reads_depends_on_the_code_of_its_own_engine_only(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines.engine_class(path)()
    before, codes = reads_as(engine, MODEL, Limits()), dict(page_cache_key._ENGINE_CODE)
    own = path.partition(":")[0].rpartition(".")[0]
    for package in codes:
        monkeypatch.setattr(page_cache_key, "_ENGINE_CODE", {**codes, package: "other code"})
        assert (reads_as(engine, MODEL, Limits()) != before) == (package == own)
        assert reads_as(Numbered(), MODEL, Limits()) == BEFORE


def test_every_engine_of_the_table_has_a_fingerprint() -> None:
    for path in engines.ENGINES.values():
        assert isinstance(engines.engine_class(path)().fingerprint(), str)


def test_the_fingerprint_of_mlx_vlm_has_the_settings_of_the_request() -> None:
    given = mlx_settings()
    changed: dict[str, object] = {
        "prompt": "Read.",
        "output": "text",
        "max_pixels": 9,
        "max_tokens": 99,
        "trusted": ("a",),
    }
    found = {MlxVlm(replace(given, **{name: value})).fingerprint() for name, value in changed.items()}  # type: ignore[arg-type]
    assert len({MlxVlm(given).fingerprint(), *found}) == 6
    assert MlxVlm(replace(given, cache_mb=9, page_seconds=9)).fingerprint() == MlxVlm(given).fingerprint()


def test_a_job_whose_text_may_not_be_cached_has_no_key(tmp_path: Path) -> None:
    class Silent:
        name, batch, dpi = "silent", 1, 72

    spool = Spool(str(tmp_path))
    whole = job(Source("a", "source-5", "5", 1))
    assert reads_as(Silent(), MODEL, Limits()) == ""  # type: ignore[arg-type]
    assert key_of(whole, BEFORE, spool) == cache_key("5", Options(), BEFORE)
    assert key_of(whole, "", spool) is None
    assert key_of(job(Source("a", "source-5", "5")), BEFORE, spool) is None  # its bytes were not compared
    spool.put_password(JOB, b"secret")
    assert key_of(whole, BEFORE, spool) is None


def job(source: Source) -> Job:
    record = {"v": "1", "state": "queued", "source": source.dumps(), "options": "{}", "created": "1"}
    return Job.parse(JOB, record)
