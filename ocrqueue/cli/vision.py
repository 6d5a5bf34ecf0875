"""What `submit.py models check` prints about a vision-language model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ocrqueue.models.tables import size

if TYPE_CHECKING:
    from ocrqueue.engines.mlx.inspection import Inspection
    from ocrqueue.engines.mlx.recipes import Recipe

_USABLE = 0.75  # share of a Mac's memory that a model may well use; Metal gives it about as much by default


def inspection_lines(found: "Inspection", setting: str) -> Iterator[str]:
    """A line for each thing that is known of the model. `setting`: the value of OCR_MODEL that names it."""
    recipe = found.recipe
    yield f"model     {found.name}, in {found.path}"
    yield f"type      {found.model_type or 'none'}"
    yield f"recipe    {found.label or 'the general one, because none is for this type and name'}"
    yield f"answer    {recipe.output}"
    yield f"pages     {_pages(recipe)}"
    yield f"limits    {recipe.max_tokens} tokens a page; temperatures {', '.join(map(str, recipe.temperatures))}"
    yield f"files     {'; '.join(found.damage) or 'all there'}"
    yield f"memory    {_memory(found)}"
    yield f"licence   {_licence(recipe)}"
    yield f"note      {recipe.experimental or 'none'}"
    yield f"prompt    {repr(found.prompt) if found.prompt is not None else f'not shown: {found.prompt_missing}'}"
    if found.usable:
        yield f"next      set OCR_MODEL={setting} in .env, start `make up`, then `submit.py ocr FILE`"


def _licence(recipe: "Recipe") -> str:
    if not recipe.licence:
        return "not known: read the card of the model"
    return f"{recipe.licence} (not compared with the model's card: read it)"


def _pages(recipe: "Recipe") -> str:
    seen = (
        f"longer side {recipe.longest} pixels"
        if recipe.longest
        else f"at most {recipe.max_pixels / 1e6:.1f} megapixels"
    )
    return f"PDF at {recipe.dpi} dpi, {seen}, {recipe.batch} at once"


def _memory(found: "Inspection") -> str:
    needs = f"weights {size(found.weights)}, about {size(found.needed)} in all while it reads (estimate)"
    if not found.machine:
        return needs
    tight = found.needed > _USABLE * found.machine
    fits = "too little or tight: prefer a smaller or quantised model" if tight else "enough"
    return f"{needs}; this machine has {size(found.machine)}: {fits}"
