"""`submit.py models check`: what it says of good, incomplete, refused and unknown models, and what to do next."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ocrqueue.cli import main
from tests.support import tiny
from tests.support.harness import PROJECT
from tests.support.miniatures import FAMILIES
from tests.support.miniatures.builder import build

pytestmark = [
    pytest.mark.needs("mlx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model directory."""
    monkeypatch.setenv("OCR_MODEL_DIR", str(tmp_path / "models"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):  # the command sets them; undone after the test
        monkeypatch.setenv(name, "1")
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def change(folder: Path, **config: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return folder


def fields(printed: str) -> dict[str, str]:
    """The lines that the command printed: name and value."""
    return {line[:10].strip(): line[10:] for line in printed.splitlines()}


def test_a_user_checks_a_folder() -> None:
    done = subprocess.run(
        [sys.executable, "submit.py", "models", "check", "tests/data/tiny-ocr-vlm"],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    said = fields(done.stdout)
    assert (said["type"], said["recipe"], said["files"]) == ("qwen2_vl", "qwen2_vl, qwen2_5_vl", "all there")
    assert said["prompt"].startswith("'<|user|>Convert this page to markdown. Do not miss")
    assert said["memory"].startswith("weights 4 MB, about ")
    assert "this machine has " in said["memory"]
    assert said["next"].startswith(f"set OCR_MODEL={tiny.FOLDER} in .env")


def test_a_model_of_the_directory_is_checked_by_name(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(tiny.copy_to(directory, "olmOCR-2-7B-1025"), model_type="qwen2_5_vl")
    assert main(["models", "check", "olmOCR-2-7B-1025", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["usable"], found["damage"], found["refused"]) == ("olmOCR-2-7B-1025", True, [], [])
    assert found["label"] == "qwen2_vl, qwen2_5_vl, named like olmocr"
    assert found["recipe"]["longest"] == 1288
    assert "page_startx_starty_width_height.png" in found["prompt"]
    assert found["weights"] == (tiny.FOLDER / "model.safetensors").stat().st_size < found["needed"]
    assert found["machine"] > 10**8


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (
            "GLM-OCR-bf16",
            "[gMASK]<sop><|user|>\n<|begin_of_image|><|image|><|end_of_image|>Text Recognition:<|assistant|>\n",
        ),
        ("DeepSeek-OCR-8bit", "<image>\n<|grounding|>Convert the document to markdown. "),  # its processor prints
        ("Unlimited-OCR", "<image>document parsing."),
    ],
)
def test_the_finished_prompt_has_the_template_of_the_folder(
    directory: Path, capsys: pytest.CaptureFixture[str], name: str, prompt: str
) -> None:
    build(FAMILIES[name], directory / name)
    capsys.readouterr()
    assert main(["models", "check", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["prompt"], found["usable"]) == (prompt, True)


def test_the_settings_of_the_worker_hold(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.copy_to(directory)
    monkeypatch.setenv("OCR_MLX_PROMPT", "Read it.")
    monkeypatch.setenv("OCR_MLX_MAX_TOKENS", "123")
    assert main(["models", "check", tiny.NAME]) == 0
    said = fields(capsys.readouterr().out)
    assert said["prompt"].startswith("'<|user|>Read it.<|vision_start|>")
    assert said["limits"].startswith("123 tokens")
    assert said["next"].startswith(f"set OCR_MODEL={tiny.NAME} in .env")


def test_a_prompt_with_the_token_of_the_image_is_refused(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(FAMILIES["DeepSeek-OCR-8bit"], directory / "DeepSeek-OCR-8bit")
    monkeypatch.setenv("OCR_MLX_PROMPT", "<image>\nFree OCR.")
    capsys.readouterr()
    assert main(["models", "check", "DeepSeek-OCR-8bit"]) == 4
    printed = capsys.readouterr()
    assert fields(printed.out)["prompt"] == "not shown: correct the errors first"
    assert "OCR_MLX_PROMPT holds <image>," in printed.err


def test_an_empty_chat_template_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.copy_to(tmp_path)
    (folder / "chat_template.jinja").write_bytes(b"")
    assert main(["models", "check", str(folder)]) == 4
    printed = capsys.readouterr()
    assert fields(printed.out)["files"] == "chat_template.jinja is empty"
    assert printed.err.startswith(f"error: {folder}: chat_template.jinja is empty; `submit.py models pull")
    (folder / "chat_template.jinja").write_text("{# nothing #}\n")
    assert main(["models", "check", str(folder)]) == 4
    printed = capsys.readouterr()
    assert fields(printed.out)["prompt"] == "not shown: correct the errors first"
    assert printed.err == f"error: {folder}: the model's chat template is empty: fetch the model again\n"


def test_each_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.copy_to(tmp_path, "broken")
    for name in ("preprocessor_config.json", "chat_template.jinja", "model.safetensors"):
        (folder / name).unlink()
    assert main(["models", "check", str(folder)]) == 4
    printed = capsys.readouterr()
    assert fields(printed.out)["files"] == (
        "preprocessor_config.json is missing; chat_template.jinja is missing; "
        "model.safetensors is missing: it has no weights"
    )
    assert fields(printed.out)["prompt"] == "not shown: correct the errors first"
    assert "next" not in fields(printed.out)
    assert len(printed.err.splitlines()) == 3
    assert all("`submit.py models pull" in line for line in printed.err.splitlines())


def test_all_damage_of_a_model_in_the_directory_is_named(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.copy_to(directory)
    (folder / "preprocessor_config.json").unlink()
    (folder / "model.safetensors").write_bytes(b"cut off")
    assert main(["models", "check", tiny.NAME, "--json"]) == 4
    printed = capsys.readouterr()
    assert json.loads(printed.out)["damage"] == [
        "preprocessor_config.json is missing",
        "model.safetensors: it has no safetensors header",
    ]
    assert json.loads(printed.out)["usable"] is False
    assert f"`submit.py models pull {tiny.NAME}` repairs models from the hub" in printed.err


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "GOT"}, "OCR_TRUSTED_MODELS=tiny-ocr-vlm"),
        ({"model_type": "qwen2_vl", "model_file": "model.py"}, "OCR_TRUSTED_MODELS=tiny-ocr-vlm"),
        (
            {"model_type": "deepseek_vl_v2", "architectures": ["DeepseekOCRForCausalLM"]},
            "use a conversion, such as mlx-community/DeepSeek-OCR-8bit",
        ),
        ({"model_type": "brand_new"}, "does not know the type brand_new: update mlx-vlm, or use another model"),
    ],
)
def test_a_model_that_cannot_be_used_fails_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: dict[str, object], said: str
) -> None:
    folder = change(tiny.copy_to(tmp_path), **config)
    for name in ("qwen.tiktoken", "processor_config.json"):
        (folder / name).write_text("{}")
    assert main(["models", "check", str(folder)]) == 4
    printed = capsys.readouterr()
    assert said in printed.err
    assert fields(printed.out)["files"] == "all there"


def test_a_model_that_is_not_there_fails_with_the_command_that_fetches_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "check", "org/nothing"]) == 4
    assert "`submit.py models pull org/nothing` downloads it" in capsys.readouterr().err
    assert main(["models", "check", "/nowhere/model"]) == 4
    assert "there is no folder /nowhere/model: name an existing one" in capsys.readouterr().err


def test_without_mlx_all_but_the_prompt_is_said(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.copy_to(directory)
    for name in ("mlx_vlm", "mlx_vlm.utils"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["models", "check", tiny.NAME]) == 0
    said = fields(capsys.readouterr().out)
    assert said["prompt"].startswith("not shown: mlx-vlm cannot be imported here")
    assert said["prompt"].endswith("`make setup MLX=1`")
    assert (said["files"], said["type"]) == ("all there", "qwen2_vl")
