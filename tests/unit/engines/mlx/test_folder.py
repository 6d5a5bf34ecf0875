"""The folder of a model: missing and damaged files, code of the model, and its settings."""

import json
import shutil

import pytest

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.engines.mlx.folder import check_folder, find_model, folder_revision, recipe_of
from ocrqueue.engines.mlx.settings import mlx_settings
from ocrqueue.errors import ModelUnavailable
from tests.support import tiny


@pytest.fixture
def folder(tmp_path):
    return tiny.copy_to(tmp_path)


def check(folder, trusted=()):
    model = Model(folder.name, "1", folder)
    return check_folder(model, recipe_of(model), trusted)


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_complete_model_is_accepted(folder):
    assert check(folder) == folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
        ("tokenizer_config.json", "tokenizer_config.json is missing"),
        ("preprocessor_config.json", "preprocessor_config.json is missing"),
        ("chat_template.jinja", "chat template is missing"),
    ],
)
def test_a_missing_file_is_reported(folder, name, said):
    (folder / name).unlink()
    with pytest.raises(ModelUnavailable, match=said) as caught:
        check(folder)
    assert caught.value.code == "model_broken"


def test_a_missing_or_truncated_shard_is_reported(folder):
    shutil.move(folder / "model.safetensors", folder / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelUnavailable, match=r"model-2\.safetensors is missing"):
        check(folder)
    (folder / "model.safetensors.index.json").unlink()
    whole = (folder / "model-1.safetensors").read_bytes()
    (folder / "model-1.safetensors").write_bytes(whole[:-1000])
    with pytest.raises(ModelUnavailable, match="cut off"):
        check(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"hidden_size": 1}'])
def test_a_damaged_config_is_reported(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelUnavailable) as caught:
        check(folder)
    assert caught.value.code == "model_broken"


def test_a_model_with_code_is_refused_unless_it_is_trusted(folder):
    change(folder / "config.json", model_file="evil.py")
    with pytest.raises(ModelUnavailable, match="OCR_TRUSTED_MODELS") as caught:
        check(folder, trusted=("another",))
    assert caught.value.code == "model_broken"
    assert check(folder, trusted=(folder.name,)) == folder


def test_the_revision_of_a_folder_changes_with_its_files(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert folder_revision(folder) == folder_revision(copy)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert folder_revision(folder) != folder_revision(copy)


def test_a_model_is_found_by_name_or_folder(folder, monkeypatch):
    monkeypatch.setenv("OCR_MODEL_DIR", str(folder.parent))
    monkeypatch.setenv("OCR_MODEL", folder.name)
    named = find_model(mlx_settings())
    assert (named.name, named.path) == (folder.name, folder)
    monkeypatch.setenv("OCR_MODEL", str(folder))
    assert find_model(mlx_settings()).path == folder
    engine = MlxVlm()
    assert engine.default_model().path == folder
    assert (engine.batch, engine.dpi) == (4, 150)
    monkeypatch.setenv("OCR_MODEL", "nobody/nothing")
    with pytest.raises(ModelUnavailable, match="models pull nobody/nothing"):
        MlxVlm().default_model()
    monkeypatch.delenv("OCR_MODEL")
    with pytest.raises(ModelUnavailable, match="set OCR_MODEL"):
        MlxVlm().default_model()


def test_settings_override_the_recipe(folder, monkeypatch):
    monkeypatch.setenv("OCR_MODEL", str(folder))
    for name, value in {"PROMPT": "Read.", "OUTPUT": "dots", "MAX_PIXELS": "5000", "BATCH": "2"}.items():
        monkeypatch.setenv(f"OCR_MLX_{name}", value)
    engine = MlxVlm()
    engine.default_model()
    assert engine.batch == 2
    assert (engine._recipe.prompt, engine._recipe.output, engine._recipe.max_pixels) == ("Read.", "dots", 5000)
