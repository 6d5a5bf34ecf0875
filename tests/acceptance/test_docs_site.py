"""The site that `make docs` builds: a broken link fails the build, and pages load nothing from other hosts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocrqueue import __version__
from tests.support.harness import PROJECT
from tests.support.thorough import thorough_but

PAGES = {page.stem for page in (PROJECT / "docs").glob("*.md")}


def build(folder: Path, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Build a copy of the documentation, with text added to some pages."""
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(PROJECT / name, folder)
    shutil.copytree(PROJECT / "docs", folder / "docs")
    (folder / "ocrqueue" / "storage").mkdir(parents=True)
    shutil.copy(PROJECT / "ocrqueue" / "storage" / "result.schema.json", folder / "ocrqueue" / "storage")
    for page, text in changes.items():
        with (folder / "docs" / f"{page}.md").open("a") as file:
            file.write(f"\n{text}\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert done.returncode == 0, done.stderr
    site = tmp_path / "build" / "site"
    assert {page.stem for page in site.glob("*.html")} == {*PAGES, "404"}
    for page in site.glob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(https?:[^\" >]+)", page.read_text())
        assert loaded == [], page.name
        assert f"Version {__version__}" in page.read_text()
    assert f"{__version__} - " in (site / "changelog.html").read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    thorough_but(
        1,
        [
            ("[x](results.md#nothing)", "#nothing"),
            ("[x](nothing.md)", "nothing.md"),
            ("[x](#nothing)", "#nothing"),
            ('--8<-- "nothing.json"', "nothing.json"),
        ],
    ),
)
def test_a_broken_link_fails_the_build(tmp_path: Path, text: str, says: str) -> None:
    done = build(tmp_path, index=text)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.thorough
def test_a_page_that_is_not_in_the_navigation_fails_the_build(tmp_path: Path) -> None:
    done = build(tmp_path, forgotten="# Forgotten")
    assert done.returncode != 0
    assert "forgotten.md" in done.stderr
