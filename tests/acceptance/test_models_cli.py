"""`submit.py models ...` as a user types it, with pulls from the test server `Hub`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import eventually
from tests.support.hub import Hub
from tests.support.models import A, B, Directory, bytes_of, files, safetensors
from tests.support.thorough import thorough_but

PROJECT = Path(__file__).parents[2]
NAME = "org/model"


class CommandLine:
    """Runs commands with a data folder of its own and without Redis."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder = folder
        self.models = folder / "models"
        ours = ("OCR_", "HF_", "XDG_", "HUGGING")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {
            "OCR_DATA_DIR": str(folder), "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1", "REDIS_URL": f"unix://{folder}/none.sock", "NO_PROXY": "*",
        }  # fmt: skip

    def __call__(self, *args: str, code: int = 0, **env: str) -> str:
        run = subprocess.run(
            self.command(*args), cwd=PROJECT, env=self.env | env, capture_output=True, text=True, timeout=60
        )
        self.err = run.stderr
        assert run.returncode == code, run.stderr
        assert "Traceback" not in run.stderr
        return run.stdout

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "submit.py", "models", *args]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.models[NAME] = {**files(), "README.md": b"# A model\n"}
        yield hub


@pytest.fixture
def models(tmp_path: Path, hub: Hub) -> CommandLine:
    return CommandLine(tmp_path, hub)


def test_pull_list_path(models: CommandLine, hub: Hub) -> None:
    path = models("pull", NAME).strip()
    assert bytes_of(Path(path)) == hub.models[NAME]
    assert f"{NAME} is complete" in models.err
    assert models("path", NAME).strip() == path
    assert Path(path).is_absolute()
    (record,) = map(json.loads, models("list", "--json").splitlines())
    assert (record["name"], record["kind"], record["revision"]) == (NAME, "cache", A)
    assert (record["status"], record["files"], record["path"]) == ("CURRENT", 3, path)
    header, line = models("list").splitlines()
    assert header.split("  ")[0] == "NAME"
    assert line.startswith(NAME)
    assert line.endswith("CURRENT")
    models("pull", NAME)  # the second pull downloads nothing
    assert len(hub.gets) == 3


@pytest.mark.thorough
def test_a_pull_continues_after_its_connection_broke(models: CommandLine, hub: Hub) -> None:
    hub.models[NAME]["model.safetensors"] = safetensors(os.urandom(14_000_000))
    hub.break_at, hub.breaks = 12_000_000, 1
    path = models("pull", NAME).strip()
    assert bytes_of(Path(path)) == hub.models[NAME]
    ranges = [asked for file, asked in hub.gets if file == "model.safetensors"]
    assert ranges == ["", "bytes=10485760-"]  # huggingface_hub writes 10 MiB at a time


@pytest.mark.thorough
def test_a_pull_continues_after_it_was_killed(models: CommandLine, hub: Hub) -> None:
    hub.models[NAME]["model.safetensors"] = safetensors(os.urandom(14_000_000))
    hub.break_at, hub.breaks = 12_000_000, 1_000_000  # every attempt breaks at the same byte
    process = subprocess.Popen(
        models.command("pull", NAME), cwd=PROJECT, env=models.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    partial = eventually(lambda: next(models.models.glob("models--*/blobs/*.incomplete"), None))
    eventually(lambda: partial.stat().st_size >= 10_000_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    size = partial.stat().st_size
    (record,) = map(json.loads, models("list", "--json").splitlines())
    assert (record["status"], record["prunable"]) == ("BROKEN", False)
    assert "error: model_" in models_error(models, "path", NAME)
    hub.breaks = 0
    hub.gets.clear()
    path = models("pull", NAME).strip()
    assert bytes_of(Path(path)) == hub.models[NAME]
    assert ("model.safetensors", f"bytes={size}-") in hub.gets
    assert not list(models.models.glob("models--*/blobs/*.incomplete"))


def models_error(models: CommandLine, *args: str) -> str:
    models(*args, code=4)
    return models.err


@pytest.mark.thorough
def test_a_pull_repairs_damaged_files(models: CommandLine, hub: Hub) -> None:
    path = Path(models("pull", NAME).strip())
    (path / "model.safetensors").resolve().write_bytes(b"damaged")
    assert "model_broken" in models_error(models, "path", NAME)
    models("pull", NAME)
    assert bytes_of(path) == hub.models[NAME]


@pytest.mark.thorough
def test_a_damaged_download_is_rejected(models: CommandLine, hub: Hub) -> None:
    content = safetensors(os.urandom(2_000_000))
    hub.models[NAME]["model.safetensors"] = content
    hub.wrong = content[:-1] + bytes([content[-1] ^ 1])
    assert "model.safetensors is damaged" in models_error(models, "pull", NAME)
    hub.wrong = None
    assert bytes_of(Path(models("pull", NAME).strip())) == hub.models[NAME]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    thorough_but(
        1,
        [
            ("org/none", 4, "has no model org/none"),
            (f"{NAME}@{B}", 4, "no such revision"),
            ("a/b/c", 2, "not a valid model name"),
        ],
    ),
)
def test_a_name_that_the_hub_does_not_know(models: CommandLine, name: str, code: int, message: str) -> None:
    models("pull", name, code=code)
    assert message in models.err


@pytest.mark.thorough
def test_without_a_network(models: CommandLine) -> None:
    models("pull", NAME, code=4, HF_ENDPOINT="http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in models.err.splitlines()[-1]
    models("pull", NAME, code=4, HF_HUB_OFFLINE="1")
    assert "cannot be reached" in models.err.splitlines()[-1]


def test_keep_audit_prune_restore(models: CommandLine) -> None:
    directory = Directory(models.models)
    directory.folder("old_kept")
    directory.folder("old_two\nlines")
    assert "kept from now on" in models("keep", "old_kept")
    report = models("audit")
    assert "1 KEPT, 1 OLD" in report
    assert "a prune moves old_two\\nlines@" in report
    assert json.loads(models("audit", "--json"))["by_status"] == {"KEPT": 1, "OLD": 1}
    dry = models("prune", "--dry-run").splitlines()
    assert (models.models / "old_two\nlines").exists()
    real = models("prune").splitlines()
    assert [line.replace("would move", "moved").replace("would be moved", "moved") for line in dry] == real
    assert not (models.models / "old_two\nlines").exists()
    assert "Redis cannot be reached" in models.err
    models("restore", "old_two\nlines")
    assert "models keep" in models.err
    assert (models.models / "old_two\nlines").exists()
    (record,) = map(json.loads, models("prune", "--json").splitlines())
    assert (record["name"], record["moved"], record["dry_run"]) == ("old_two\nlines", True, False)
    assert "no longer kept" in models("unkeep", "old_kept")
    models("unkeep", "old_kept", code=4)
    models("keep", "none", code=4)
    models("restore", "none", code=4)
    assert "moved old_kept@" in models("prune", "--dry-run").replace("would move", "moved")


def test_verify_reads_every_file(models: CommandLine) -> None:
    path = Path(models("pull", NAME).strip())
    blob = (path / "README.md").resolve()
    time.sleep(0.01)
    blob.write_bytes(b"# a model\n")
    assert "hash" not in models("audit")
    assert "README.md: its content differs from the hub's" in models("audit", "--verify")


@pytest.mark.thorough
def test_the_shared_cache_is_only_reported(models: CommandLine) -> None:
    cache = models.folder / "hf" / "hub"
    cache.parent.mkdir()
    Directory(cache).folder("old_GLM")
    out = models("prune", OCR_MODEL_DIR=str(cache))
    assert "would move old_GLM@" in out
    assert "OCR_PRUNE=trash" in models.err
    assert (cache / "old_GLM").exists()
    assert "moved old_GLM@" in models("prune", OCR_MODEL_DIR=str(cache), OCR_PRUNE="trash")


def test_wrong_usage(models: CommandLine) -> None:
    models("frob", code=2)
    models("path", code=2)
    models("list", code=2, OCR_PRUNE="always")
    assert "OCR_PRUNE='always'" in models.err
