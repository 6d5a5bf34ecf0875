"""Reads one page with a miniature, and keeps what the model got."""

import gc
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ocrqueue.engines.mlx.answer import Bounds
from ocrqueue.engines.mlx.reading import PageReader
from ocrqueue.errors import PageError
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from tests.support.miniatures.engine import Miniature, engine_for


@dataclass(frozen=True, slots=True)
class Reading:
    """What happened from loading a miniature to freeing it."""

    prompt: str  # what the model got, decoded; `<token>×N` is a token N times
    tokens: int  # of the prompt, image tokens included
    embedded: int  # vectors that the decoder, or its encoder, got for them
    a4: int  # image tokens of an A4 page, rendered at the recipe's resolution
    page: PageText | PageError
    active: tuple[int, int, int]  # bytes that MLX uses before loading, with the model, and after freeing
    cache: int  # bytes that MLX keeps after freeing


def read_once(name: str, directory: Path, size: tuple[int, int]) -> Reading:
    """Load a miniature from a model directory, read a white page of this size in pixels, and free everything."""
    import mlx.core as mx

    gc.collect()
    before = mx.get_active_memory()
    engine = opened(name, directory)
    loaded = mx.get_active_memory()
    given: list[tuple[list[int], int]] = []
    _listen(engine, given)
    (page,) = engine.read([Image.new("RGB", size, "white")], Options())
    ((ids, embedded),) = given
    prompt, a4 = collapsed(decode(engine, ids)), _image_tokens_of_a4(engine)
    engine.free_resources()
    active = before, loaded, mx.get_active_memory()
    return Reading(prompt, len(ids), embedded, a4, page, active, mx.get_cache_memory())


def opened(name: str, directory: Path, **changes: object) -> Miniature:
    """An engine that has loaded a miniature. `changes`: settings."""
    engine = engine_for(name)(model_dir=directory, **changes)
    engine.load(engine.default_model())
    return engine


def decode(engine: Miniature, ids: list[int]) -> str:
    """The text of tokens, special ones included."""
    assert engine._loaded is not None
    return engine._loaded.decode(ids)


def collapsed(text: str) -> str:
    """A text with `<token>×N` for a token in angle brackets that stands there N times, one after another."""
    return re.sub(r"(<[^<>]+>)\1+", lambda found: f"{found[1]}×{len(found[0]) // len(found[1])}", text)


def _image_tokens_of_a4(engine: Miniature) -> int:
    """How many tokens of an A4 page's prompt are the most frequent one, which stands for parts of the image."""
    from mlx_vlm.utils import prepare_inputs

    assert engine._loaded is not None
    reader = PageReader(engine._loaded, engine._recipe, Bounds(1, float("inf"), lambda: False))
    image, _ = reader.show(Image.new("RGB", (round(8.27 * engine.dpi), round(11.69 * engine.dpi)), "white"))
    inputs = prepare_inputs(engine._loaded.processor, images=[image], prompts=[engine._loaded.prompt])
    ((_, count),) = Counter(inputs["input_ids"].tolist()[0]).most_common(1)
    return count


def _listen(engine: Miniature, given: list[tuple[list[int], int]]) -> None:
    """Record token ids and number of embeddings whenever the model gets a page."""
    assert engine._loaded is not None
    network = engine._loaded.model
    embed = network.get_input_embeddings

    def recorded(input_ids: Any = None, *args: Any, **more: Any) -> Any:
        found = embed(input_ids, *args, **more)
        given.append((input_ids.tolist()[0], found.inputs_embeds.shape[1]))
        return found

    network.get_input_embeddings = recorded
