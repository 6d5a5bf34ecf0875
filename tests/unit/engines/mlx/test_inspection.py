"""The estimate of the memory that a model needs, and reading weights from headers."""

import json

import pytest

from ocrqueue.engines.mlx.inspection import _page_bytes
from ocrqueue.engines.mlx.recipes import Recipe
from ocrqueue.engines.mlx.weights import embedding_rows, weight_bytes, weight_problems
from tests.support import tiny


@pytest.mark.parametrize(
    "config",
    [
        {"text_config": {"num_hidden_layers": 10, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64}},
        {"num_hidden_layers": 10, "num_attention_heads": 8, "num_key_value_heads": 2, "hidden_size": 512},
    ],
)
def test_a_page_needs_its_tokens_and_its_pixels(config):
    recipe = Recipe("x", max_tokens=1000, max_pixels=784_000)
    tokens = 1000 + 1000  # of the answer, and of the image
    assert _page_bytes(config, recipe) == tokens * 10 * 2 * 64 * 2 * 2 + 800 * 784_000


def test_an_unknown_layout_counts_the_pixels_only():
    assert _page_bytes({}, Recipe("x", longest=100)) == 800 * 100 * 100


def test_the_weights_of_the_index_are_counted(tmp_path):
    folder = tiny.copy_to(tmp_path)
    one = weight_bytes(folder)
    assert one == (folder / "model.safetensors").stat().st_size
    (folder / "consolidated.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert weight_bytes(folder) == one
    (folder / "extra.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert weight_bytes(folder) == 2 * one
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    assert weight_bytes(folder) == one
    assert list(weight_problems(folder)) == []


def test_the_embedding_has_a_row_for_each_token(tmp_path):
    folder = tiny.copy_to(tmp_path)
    tokens = json.loads((folder / "config.json").read_text())
    assert embedding_rows(folder) == (tokens.get("text_config") or tokens)["vocab_size"]


def test_numbers_of_a_config_that_are_none_are_not_counted() -> None:
    layers = {"num_attention_heads": 2, "hidden_size": 64}
    for number in (float("inf"), float("nan"), -3, 10**400, "x", None):
        found = _page_bytes({**layers, "num_hidden_layers": number}, Recipe("x", longest=100))
        assert found == _page_bytes({}, Recipe("x", longest=100))
