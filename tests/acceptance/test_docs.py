"""README.md and docs/: every command and program that can run is run, and prints what the page shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.documentation import Block, blocks, pages
from tests.support.harness import PROJECT, Stack, free_port, running
from tests.support.thorough import thorough_but
from tests.support.web import start_web

pytestmark = pytest.mark.timeout(600)

# Blocks that no test runs, by page and first line, each with the reason.
INSTALLS = "installs packages; tests/acceptance/test_packaging.py installs the client"
STARTS = "sets up .venv and starts a stack of its own until Ctrl-C; tests/integration/test_running_stack.py starts one"
BUILDS = "runs the tests or checks of this project, of which this test is one"
BUILDS_AN_IMAGE = "needs Docker and a registry; tests/unit/test_kubernetes.py checks what the image copies"
MEASURES = "measures for minutes, on documents that are not in the repository"
NOT_RUN = {
    ("README.md", "make demo"): STARTS,
    ("docs/getting-started.md", "make demo"): STARTS,
    ("docs/getting-started.md", "make up"): STARTS,
    ("docs/languages.md", "make setup TESSERACT=1"): INSTALLS,
    ("docs/sending-jobs.md", "pip install /path/to/this/project"): INSTALLS,
    ("docs/writing-an-engine.md", "export PYTHONPATH=/path/to/folder"): "the fixture `stack` does the same",
    ("docs/models.md", "make demo-mlx"):
        "needs a Mac and the network; tests/acceptance/test_mlx_stack.py reads with the small model",
    ("docs/models.md", ".venv/bin/python submit.py models check mlx-community/LightOnOCR-2-1B-bf16"):
        "needs a model of the hub; tests/acceptance/test_mlx_check.py checks the small model",
    ("docs/contributing.md", "make test"): BUILDS,
    ("docs/contributing.md", ".venv/bin/python -m pytest tests/unit/test_options.py"): BUILDS,
    ("docs/containers.md", "docker build -f deploy/Dockerfile -t ocr-queue ."): BUILDS_AN_IMAGE,
    ("docs/containers.md", "kubectl create namespace ocr-queue"): "needs a cluster; test_kubernetes.py checks them",
    ("docs/benchmarks.md", ".venv/bin/python -m bench.accuracy FOLDER --limit 10"): MEASURES,
    ("docs/benchmarks.md", ".venv/bin/python -m bench.speed FOLDER --peers --at-once 2 --rounds 3"): MEASURES,
}  # fmt: skip
RUN = ("sh", "console")
SHOWN_ONLY = {"json"}  # test_json_is_json parses it
# Exit codes that are allowed besides 0. `doctor` may find something wrong with the machine, such as a full disk.
CODES = {
    ("docs/operations.md", "submit.py doctor"): (0, 4),
    ("docs/getting-started.md", ".venv/bin/python submit.py doctor"): (0, 4),
}


def is_run(block: Block) -> bool:
    return block.language in RUN and (block.page, block.first) not in NOT_RUN


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of a user who has followed the pages: both engines, and a folder that plain messages may name."""
    folder = tmp_path_factory.mktemp("docs")
    engine = next(b for b in blocks(PROJECT / "docs" / "writing-an-engine.md") if b.title)
    (folder / str(engine.title)).write_text(engine.code)
    path = os.pathsep.join([str(PROJECT), str(folder)])
    with running(
        OCR_PAGE_SECONDS="120",
        PYTHONPATH=path,
        OCR_ALLOWED_SOURCES=str(folder.parent),
        OCR_CACHE_MAX_GB="1",
        OCR_HTTP_PORT=str(free_port()),
    ) as stack:
        engines = "rapidocr,rows=rows:Rows"
        stack.start_documents(OCR_WORKER_ENGINES=engines)
        stack.start_worker(engines=engines, children=2)
        stack.start_beat()
        start_web(stack, port=int(stack.env["OCR_HTTP_PORT"]))
        yield stack


@pytest.fixture
def user_folder(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages assume it: the project's folder, with a scan in it, and a folder with one."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("submit.py", "tests"):
        (folder / name).symlink_to(PROJECT / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    _program(programs / "python", f'exec {sys.executable} "$@"')
    _program(programs / "submit.py", f'exec {sys.executable} {PROJECT / "submit.py"} "$@"')
    # the API of this stack instead of the one on the default port; an error of HTTP is a failure
    curl = f"exec {shutil.which('curl')} --fail-with-body -sS"
    port = stack.env["OCR_HTTP_PORT"]
    _program(programs / "curl", f'{curl} "${{@//127.0.0.1:8000/127.0.0.1:{port}}}"')
    (folder / "folder").mkdir()
    for scan in (folder / "scan.pdf", folder / "folder" / "scan.pdf"):
        shutil.copy(PROJECT / "tests" / "data" / "scan.pdf", scan)
    return folder


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/bash\n{line}\n")
    path.chmod(0o755)


def run(stack: Stack, user_folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    env = {**stack.env, "PATH": f"{user_folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    env["CELERY_BROKER_URL"] = stack.client().settings.redis
    env["OCR_API_KEYS"] = str(user_folder / "api-keys.json")  # not the file of the stack's API, which asks for no key
    return subprocess.run(command, cwd=user_folder, env=env, capture_output=True, text=True, timeout=500)


def test_every_block_has_a_language_and_no_exception_is_stale() -> None:
    every = [block for page in pages() for block in blocks(page)]
    assert [b.where for b in every if b.language not in {*RUN, "python", *SHOWN_ONLY}] == []
    there = {(b.page, b.first) for b in every if b.language in RUN}
    assert NOT_RUN.keys() - there == set()
    assert CODES.keys() - there == set()


RUN_PAGES = [p for p in pages() if any(is_run(b) for b in blocks(p))]  # README.md is the first one


@pytest.mark.parametrize("page", thorough_but(1, RUN_PAGES), ids=lambda p: p.stem)
def test_commands_do_what_the_page_says(stack: Stack, user_folder: Path, page: Path) -> None:
    """All commands of a page run in one shell, in order, so that a variable of one block exists in the next."""
    if any("curl " in block.code for block in filter(is_run, blocks(page))):
        needs.require("curl")
    script, expected = [], []
    for block in filter(is_run, blocks(page)):
        for command, shown in block.commands():
            number = len(expected)
            script.append(f"{{ {command}\n}} >{number}.out 2>&1; echo $? >{number}.code")
            expected.append((block, command, shown))
    done = run(stack, user_folder, "bash", "-c", "\n".join(script))
    assert done.returncode == 0, done.stderr
    for number, (block, command, shown) in enumerate(expected):
        said = (user_folder / f"{number}.out").read_text()
        code = int((user_folder / f"{number}.code").read_text())
        assert code in CODES.get((block.page, block.first), (0,)), f"{block.where}: {command}: exit code {code}\n{said}"
        for line in shown:
            pattern = ".*".join(map(re.escape, line.split("…")))
            assert re.search(f"^ *{pattern} *$", said, re.MULTILINE), (
                f"{block.where}: {command}: no line {line!r} in\n{said}"
            )


PROGRAMS = [b for page in pages() for b in blocks(page) if b.language == "python" and b.title != "rows.py"]


@pytest.mark.parametrize("block", thorough_but(1, PROGRAMS), ids=lambda b: b.where)
def test_programs_run(stack: Stack, user_folder: Path, block: Block) -> None:
    (user_folder / "program.py").write_text(block.code)
    done = run(stack, user_folder, "python", "program.py")
    assert done.returncode == 0, f"{block.where}\n{done.stderr}"
    for line in block.code.splitlines():  # `print(...)  # what it prints`
        if shown := re.fullmatch(r"print\(.*\)  # ([\w{].*)", line.strip()):
            said = [word.strip() for word in shown[1].replace(" or ", ",").split(",")]
            assert shown[1] in done.stdout or any(word in done.stdout.split() for word in said), (
                f"{block.where}: {line}"
            )


@pytest.mark.thorough
def test_the_engine_of_the_docs_reads(stack: Stack, user_folder: Path) -> None:
    done = run(
        stack,
        user_folder,
        "submit.py",
        "ocr",
        "scan.pdf",
        "--engine",
        "rows",
        "--pages",
        "1",
        "-f",
        "json",
        "-o",
        "out",
    )
    assert done.returncode == 0, done.stderr
    (page,) = json.loads((user_folder / "out" / "scan.json").read_text())["pages"]
    assert (page["engine"], page["model"], page["state"]) == ("rows", "rows", "ok")
    assert len(page["lines"]) > 5
    assert page["lines"][0]["text"].startswith("row ")


JSON = [b for page in pages() for b in blocks(page) if b.language == "json" and not b.code.startswith("--8<--")]


@pytest.mark.parametrize("block", JSON, ids=lambda b: b.where)
def test_json_is_json(block: Block) -> None:
    json.loads(block.code)
