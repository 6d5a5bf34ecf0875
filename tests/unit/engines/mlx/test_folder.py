"""The folder of a model: how it is found, missing and damaged files, code of the model, and its settings."""

import json
import os
import shutil

import pytest

from ocrqueue.engines import Model
from ocrqueue.engines.mlx.checks import folder_problems, read_config
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
        ("tokenizer.json", "tokenizer.json is missing"),
        ("tokenizer_config.json", "tokenizer_config.json is missing"),
        ("preprocessor_config.json", "preprocessor_config.json is missing"),
        ("chat_template.jinja", "chat_template.jinja is missing"),
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


def as_type(folder, model_type, **config):
    change(folder / "config.json", model_type=model_type, **config)
    return folder


def test_a_type_whose_code_mlx_vlm_runs_is_refused_unless_it_is_trusted(folder):
    as_type(folder, "GOT")
    (folder / "qwen.tiktoken").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match=r"Python code.*type GOT.*OCR_TRUSTED_MODELS=tiny-ocr-vlm") as caught:
        check(folder, trusted=("another",))
    assert caught.value.code == "model_broken"
    assert check(folder, trusted=(folder.name,)) == folder


def test_the_published_folder_of_deepseek_ocr_is_refused_with_a_conversion(folder):
    as_type(folder, "deepseek_vl_v2", architectures=["DeepseekOCRForCausalLM"])
    with pytest.raises(ModelUnavailable, match="use a conversion, such as mlx-community/DeepSeek-OCR-8bit"):
        check(folder)
    as_type(folder, "deepseek_vl_v2", architectures=["DeepseekVLV2ForCausalLM"])
    assert check(folder) == folder


@pytest.mark.parametrize(
    ("model_type", "needed", "unneeded"),
    [
        ("DeepseekOCR", "processor_config.json", ["preprocessor_config.json", "chat_template.jinja"]),
        ("unlimited-ocr", None, ["preprocessor_config.json", "processor_config.json", "chat_template.jinja"]),
        ("nemotron_parse", None, ["preprocessor_config.json", "processor_config.json", "chat_template.jinja"]),
        ("falcon_ocr", None, ["preprocessor_config.json", "processor_config.json", "chat_template.jinja"]),
        ("hunyuan_vl", "chat_template.jinja", ["preprocessor_config.json", "processor_config.json"]),
        ("florence2", "preprocessor_config.json", ["chat_template.jinja", "processor_config.json"]),
        ("glm_ocr", "preprocessor_config.json", ["processor_config.json"]),
        ("dots_ocr", "preprocessor_config.json", ["processor_config.json"]),
    ],
)
def test_each_type_has_its_own_files(folder, model_type, needed, unneeded):
    as_type(folder, model_type)
    for name in unneeded:
        (folder / name).unlink(missing_ok=True)
    if needed == "processor_config.json":
        (folder / needed).write_text('{"candidate_resolutions": [[1024, 1024]], "patch_size": 16}')
    assert check(folder) == folder
    if needed:
        (folder / needed).unlink()
        with pytest.raises(ModelUnavailable, match=f"{needed} is missing"):
            check(folder)


def test_image_settings_may_be_in_the_processor_config(folder):
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text('{"image_processor": {"patch_size": 14}}')
    assert check(folder) == folder
    (folder / "processor_config.json").write_text('{"processor_class": "X"}')
    with pytest.raises(ModelUnavailable, match=r"preprocessor_config\.json is missing"):
        check(folder)


def test_a_tokenizer_of_another_model_is_reported(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] = dict(list(tokenizer["model"]["vocab"].items())[:3])
    tokenizer["model"]["merges"], tokenizer["added_tokens"] = [], tokenizer["added_tokens"][:2]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json knows [35] tokens, the weights \d+: it belongs to"):
        check(folder)


def test_all_problems_are_found(folder):
    for name in ("tokenizer.json", "preprocessor_config.json", "model.safetensors"):
        (folder / name).unlink()
    found = list(folder_problems(folder, read_config(folder), recipe_of(Model(folder.name, "1", folder))))
    assert found == [
        "tokenizer.json is missing",
        "preprocessor_config.json is missing",
        "model.safetensors is missing: it has no weights",
    ]


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
    for name, value in {
        "PROMPT": "Read.",
        "OUTPUT": "dots",
        "MAX_PIXELS": "5000",
        "MAX_TOKENS": "77",
        "BATCH": "2",
    }.items():
        monkeypatch.setenv(f"OCR_MLX_{name}", value)
    engine = MlxVlm()
    engine.default_model()
    assert engine.batch == 2
    recipe = engine._recipe
    assert (recipe.prompt, recipe.output, recipe.max_pixels, recipe.max_tokens) == ("Read.", "dots", 5000, 77)


_DEEP = b"[" * 100_000


@pytest.mark.parametrize("model_type", [["qwen2_vl"], 3, {"a": 1}, True, None, ""])
def test_a_model_type_that_is_no_text_is_reported(folder, model_type):
    change(folder / "config.json", model_type=model_type)
    with pytest.raises(ModelUnavailable, match="names no model_type"):
        check(folder)


def test_architectures_that_are_no_list_are_reported(folder):
    change(folder / "config.json", architectures=3)
    with pytest.raises(ModelUnavailable, match=r"architectures in config\.json is not a list"):
        check(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_json_that_is_nested_too_deeply_is_reported(folder, name):
    (folder / name).write_bytes(_DEEP)
    with pytest.raises(ModelUnavailable, match=rf"{name} cannot be read .*fetch the model again"):
        check(folder)


def test_a_header_of_weights_that_is_nested_too_deeply_is_reported(folder):
    (folder / "model.safetensors").write_bytes(len(_DEEP).to_bytes(8, "little") + _DEEP)
    with pytest.raises(ModelUnavailable, match="its safetensors header is damaged"):
        check(folder)


@pytest.mark.parametrize(
    "tokenizer",
    [{"model": "x"}, {"model": []}, {"model": {"vocab": {"a": 1}}, "added_tokens": {"x": 1}}],
)
def test_a_tokenizer_of_another_layout_is_left_to_mlx_vlm(folder, tokenizer):
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert check(folder) == folder


def test_a_token_of_another_layout_does_not_count(folder):
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": ["a"]}, "added_tokens": ["x"]}))
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json knows 1 tokens"):
        check(folder)


@pytest.mark.parametrize("shape", [[], ["x"], 3])
def test_a_tensor_without_a_shape_is_left_to_mlx_vlm(folder, shape):
    about = {"embed_tokens.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}
    header = json.dumps(about).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert check(folder) == folder


def _as_dangling_link(path):
    path.symlink_to("nowhere")


def _as_folder(path):
    path.mkdir()


def _as_pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize("make", [_as_dangling_link, _as_folder, _as_pipe])
@pytest.mark.parametrize("name", ["model.safetensors", "more.safetensors"])
def test_weights_that_are_no_file_are_reported(folder, make, name):
    """A pipe would block whoever opens it; a link to nothing is what a pruned cache of a hub leaves behind."""
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    with pytest.raises(ModelUnavailable, match=f"{name} is not a file, or a link to a file that is missing"):
        check(folder)
