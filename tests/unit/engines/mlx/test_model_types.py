"""What the recipes and the engine use of mlx-vlm exists in the installed version: types, functions, arguments."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ocrqueue.engines.mlx import recipes
from ocrqueue.engines.mlx.recipes.table import RECIPES

pytestmark = pytest.mark.needs("mlx")

TYPES = sorted({name for model in RECIPES for name in model.types})
SPELLINGS = {"deepseekocr": "DeepseekOCR", "got": "GOT", "unlimited_ocr": "unlimited-ocr"}  # in real config.json files
ENGINE = Path(recipes.__file__).parents[1]


@pytest.mark.parametrize("name", TYPES)
def test_mlx_vlm_has_every_type_of_a_recipe(name: str) -> None:
    from mlx_vlm.utils import get_model_type

    found = get_model_type({"model_type": SPELLINGS.get(name, name)})
    assert found == name
    module = import_module(f"mlx_vlm.models.{found}")
    assert module.Model
    assert module.ModelConfig


def test_the_names_that_mlx_vlm_maps_to_a_type_of_a_recipe_are_known() -> None:
    from mlx_vlm.utils import MODEL_REMAPPING

    mapped = {name: found for name, found in MODEL_REMAPPING.items() if found in TYPES}
    assert {name: recipes.normal_type(name) for name in mapped} == mapped


@pytest.mark.parametrize("name", sorted(set(TYPES) - {"got", "nemotron_parse"}))
def test_mlx_vlm_knows_where_the_image_of_a_type_stands_in_its_prompt(name: str) -> None:
    """The prompt of a type that is not in this table has no image token. Two processors add it themselves."""
    from mlx_vlm.prompt_utils import MODEL_CONFIG

    assert SPELLINGS.get(name, name).lower() in MODEL_CONFIG


def calls() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(module, function, names of arguments) of each call of mlx-vlm in the engine."""
    for path in sorted(ENGINE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        imported = {
            (alias.asname or alias.name): node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mlx_vlm")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported:
                yield str(imported[node.func.id]), node.func.id, tuple(k.arg for k in node.keywords if k.arg)


def test_the_calls_are_found() -> None:
    assert {name for _, name, _ in calls()} >= {
        "BatchGenerator", "apply_chat_template", "prepare_inputs", "should_add_special_tokens", "stream_generate",
    }  # fmt: skip


@pytest.mark.parametrize(("module", "name", "arguments"), sorted(set(calls())), ids=str)
def test_mlx_vlm_has_the_functions_and_arguments_that_the_engine_uses(
    module: str, name: str, arguments: tuple[str, ...]
) -> None:
    function = getattr(import_module(module), name)
    parameters = set(inspect.signature(function).parameters)
    if name == "stream_generate":  # the others are keyword arguments of `generate_step`
        parameters |= set(inspect.signature(import_module("mlx_vlm.generate.ar").generate_step).parameters)
    if name == "load_processor":  # hands other arguments on to the processor of the type
        parameters |= {"trust_remote_code"}
    assert set(arguments) <= parameters


def test_the_batch_generator_has_the_methods_that_the_engine_uses() -> None:
    from mlx_vlm.generate.ar import BatchGenerator, GenerationBatch

    def parameters(method: Any) -> list[str]:
        return list(inspect.signature(method).parameters)[1:]

    insert = parameters(BatchGenerator.insert)
    assert insert[:2] == ["prompts", "max_tokens"]
    assert {"prompt_kwargs", "logits_processors"} <= set(insert)
    assert BatchGenerator.next
    assert len(parameters(BatchGenerator.remove)) >= 1
    assert parameters(BatchGenerator.close) == []
    assert isinstance(BatchGenerator.has_work, property)
    assert {"uid", "token", "finish_reason"} <= set(GenerationBatch.Response.__annotations__)


def test_a_step_of_stream_generate_has_the_fields_that_the_engine_uses() -> None:
    from mlx_vlm.generate.common import GenerationResult

    assert {"token", "finish_reason"} <= set(GenerationResult.__annotations__)
