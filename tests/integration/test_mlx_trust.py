"""Nothing of a model's folder runs: Python files, `auto_map`, and types for which mlx-vlm forces trust_remote_code."""

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.engines.mlx.recipes import recipe_for
from ocrqueue.errors import ModelUnavailable
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from tests.support import tiny
from tests.support.thorough import thorough_but

pytestmark = [
    pytest.mark.needs("mlx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
_ONLY_IF_ASKED = {"minicpmo", "minicpmv4_6"}  # pass True only behind a check of the argument
_MAPS = {
    "config.json": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"},
    "tokenizer_config.json": {"AutoTokenizer": ["evil.Evil", "evil.Evil"], "AutoProcessor": "evil.Evil"},
    "preprocessor_config.json": {"AutoImageProcessor": "evil.Evil", "AutoProcessor": "evil.Evil"},
    "processor_config.json": {"AutoProcessor": "evil.Evil"},
    "video_preprocessor_config.json": {"AutoVideoProcessor": "evil.Evil"},
}


def hostile(folder: Path) -> Path:
    """Add a Python file that leaves a mark when it runs, and name it everywhere. Returns the path of the mark."""
    mark = folder / "it-ran"
    program = f"from pathlib import Path\nPath({str(mark)!r}).touch()\nclass Evil: pass\n"
    for name in ("evil.py", "__init__.py", "tokenizer.py", "tiny.py"):
        (folder / name).write_text(program)
    for name, auto_map in _MAPS.items():
        path = folder / name
        settings = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**settings, "auto_map": auto_map}))
    return mark


def test_python_files_of_a_folder_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.copy_to(tmp_path)
    mark = hostile(folder)
    monkeypatch.setenv("OCR_MODEL", str(folder))
    monkeypatch.setenv("OCR_MLX_PROMPT", tiny.PROMPT)
    engine = MlxVlm()
    engine.load(engine.default_model())
    (page,) = engine.read([tiny.render("SAFE 42")], Options())
    engine.free_resources()
    assert isinstance(page, PageText)
    assert page.plain == "SAFE 42"
    assert not mark.exists()


@pytest.mark.parametrize(
    "changes", thorough_but(1, [{"model_type": "GOT"}, {"model_file": "evil.py"}, {"model_type": "inkling"}])
)
def test_models_whose_code_would_run_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    folder = tiny.copy_to(tmp_path)
    mark = hostile(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    monkeypatch.setenv("OCR_MODEL", str(folder))
    with pytest.raises(ModelUnavailable, match="OCR_TRUSTED_MODELS=tiny-ocr-vlm"):
        MlxVlm().load(Model(folder.name, "1", folder))
    assert not mark.exists()


def test_every_type_for_which_mlx_vlm_forces_trust_is_refused() -> None:
    forced = {path.parent.name for path in _models().glob("*/*process*.py") if _forces_trust(path)}
    assert {"got", "inkling", "moondream2"} <= forced, "the search finds nothing any more: look at mlx-vlm's source"
    assert {kind for kind in forced - _ONLY_IF_ASKED if not recipe_for(kind, "").runs_code} == set()


@pytest.mark.thorough
def test_a_type_that_mlx_vlm_does_not_know_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.copy_to(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "brand_new"}))
    monkeypatch.setenv("OCR_MODEL", str(folder))
    with pytest.raises(ModelUnavailable, match="does not know the type brand_new: update mlx-vlm") as caught:
        MlxVlm().load(Model(folder.name, "1", folder))
    assert caught.value.code == "model_broken"


def _models() -> Path:
    spec = importlib.util.find_spec("mlx_vlm")
    assert spec is not None
    assert spec.submodule_search_locations, sys.path
    return Path(spec.submodule_search_locations[0]) / "models"


def _forces_trust(path: Path) -> bool:
    """Whether a file passes or assigns the constant True as `trust_remote_code`."""
    tree = ast.parse(path.read_text())
    return any(isinstance(value, ast.Constant) and value.value is True for value in _trusts(tree))


def _trusts(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (k.value for k in node.keywords if k.arg == "trust_remote_code")
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "trust_remote_code" for target in node.targets
        ):
            yield node.value
