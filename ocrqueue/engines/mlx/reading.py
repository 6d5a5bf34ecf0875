"""Reads pages with a loaded model: the tries of a page, what is kept of its answers, and pages that must be turned."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ocrqueue.engines.mlx.answer import Answer, Bounds, Stop
from ocrqueue.engines.mlx.generation import LoadedModel, Sampling, generate_batch, generate_one
from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.markup.blocks import text_blocks
from ocrqueue.engines.mlx.markup.parsed import Parsed
from ocrqueue.engines.mlx.recipes import Recipe
from ocrqueue.engines.mlx.view import View, fit_page
from ocrqueue.errors import PageError
from ocrqueue.pages import PageText, PageWarning, Point, Quad
from ocrqueue.states import WarningCode

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)
_UNIT = 32  # pixels; sides of page images are multiples of it if the processor names no patch size
_NOTHING = PageError("degenerate_output", "the model wrote nothing but repetitions: use another model or --dpi")
Result = Answer | Exception


def samplings(recipe: Recipe) -> list[Sampling]:
    """How the model chooses tokens at each try of a page.

    `top_k` holds for the first try only, because with the usual 1 every try would give the same text.
    """
    return [
        Sampling(
            temperature, recipe.top_p, 0 if number else recipe.top_k, number, recipe.repetition_penalty, recipe.ngram
        )
        for number, temperature in enumerate(recipe.temperatures)
    ]


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a page as the model wrote it."""

    content: str
    warning: PageWarning | None = None  # None: it is complete


def best_of(first: Result, later: Iterable[Callable[[], Result]]) -> Text | PageError:
    """The text of a page that was generated once, and is generated again as long as the model repeats itself.

    A page that reached the limit on tokens keeps its text. If the model repeats itself at every try, or a later try
    fails or takes too long, the longest text is kept. Returns an error if there is no text.
    """
    best, answer, tries = "", first, 1
    following = iter(later)
    while isinstance(answer, Answer) and answer.stopped == Stop.RUNAWAY:
        best = max(best, answer.text(), key=len)
        log.info("a page repeats itself after %d tokens of try %d", len(answer.tokens), tries)
        again = next(following, None)
        if again is None:
            break
        answer, tries = again(), tries + 1
    if isinstance(answer, Answer) and answer.stopped in (None, Stop.LENGTH):
        return Text(answer.text(), _cut_off(len(answer.tokens)) if answer.stopped else None)
    if isinstance(answer, Answer) and answer.stopped == Stop.CANCELLED:
        return PageError("cancelled", "the job was cancelled while this page was read")
    if best.strip():
        return Text(best, _repetition(tries))
    return _error(answer)


def _cut_off(count: int) -> PageWarning:
    return PageWarning(
        WarningCode.CUT_OFF,
        f"the text was cut off after {count} tokens: raise OCR_MLX_MAX_TOKENS if the page is that long",
    )


def _repetition(tries: int) -> PageWarning:
    what = f"the model repeated itself endlessly, {tries} time{'s' if tries > 1 else ''}"
    return PageWarning(WarningCode.REPETITION, f"{what}: the text ends where that began; use another model or --dpi")


def _error(answer: Result) -> PageError:
    if isinstance(answer, Exception):
        return PageError("engine_error", reason(answer))
    if answer.stopped == Stop.TIMEOUT:
        count = len(answer.tokens)
        return PageError("timeout", f"the page took too long ({count} tokens so far): raise OCR_PAGE_SECONDS")
    return _NOTHING


def reason(error: Exception) -> str:
    """An error on one line, with its type."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@dataclass(frozen=True, slots=True)
class PageReader:
    """Reads the pages of one claim."""

    loaded: LoadedModel
    recipe: Recipe
    bounds: Bounds

    def read(self, pages: "Sequence[Image]") -> list[PageText | PageError]:
        """One result for each page image, in order."""
        found: dict[int, PageText | PageError] = {}
        shown: dict[int, tuple[Image, View]] = {}
        for number, page in enumerate(pages):
            try:
                shown[number] = self.show(page)
            except Exception as e:  # noqa: BLE001 -- an error with one image fails its page only
                found[number] = PageError("engine_error", f"the page cannot be shown to the model: {reason(e)}")
        answers = self._generate([image for image, _ in shown.values()])
        for (number, (image, view)), first in zip(shown.items(), answers, strict=True):
            try:
                found[number] = self._finish(pages[number], image, view, first)
            except Exception as e:  # noqa: BLE001 -- an error with one answer fails its page only
                found[number] = PageError("engine_error", reason(e))
        return [found[number] for number in range(len(pages))]

    def show(self, page: "Image") -> "tuple[Image, View]":
        """The image of a page that the model sees, and its view."""
        unit = _unit(self.loaded.processor)
        recipe = self.recipe
        return fit_page(page, unit, recipe.max_pixels, recipe.buckets, recipe.longest, recipe.doubled_below)

    def _generate(self, images: "list[Image]") -> list[Result]:
        """The first try of each page."""
        if len(images) > 1 and self.recipe.batch > 1:
            try:
                return generate_batch(self.loaded, images, self.bounds, samplings(self.recipe)[0])
            except Exception as e:  # noqa: BLE001 -- an error of one page or of all; each is read alone next
                log.warning(
                    "%d pages could not be read in one batch (%s): they are read one by one", len(images), reason(e)
                )
        return [self._generate_one(image, samplings(self.recipe)[0]) for image in images]

    def _generate_one(self, image: "Image", sampling: Sampling) -> Result:
        try:
            return generate_one(self.loaded, image, self.bounds, sampling)
        except Exception as e:  # noqa: BLE001 -- an error of mlx-vlm fails this page only
            return e.with_traceback(None)  # a traceback holds the page's arrays

    def _finish(self, page: "Image", image: "Image", view: View, first: Result) -> PageText | PageError:
        """The text of a page after its first try. If the model says how to turn the page, it is read once more."""
        parsed = self._parsed(image, view, first)
        if isinstance(parsed, PageError):
            return parsed
        if not parsed.turn:
            return parsed.page
        log.info("the model says that a page must be turned by %d degrees: it is read again", parsed.turn)
        image, view = self.show(page.rotate(-parsed.turn, expand=True))
        again = self._parsed(image, view, self._generate_one(image, samplings(self.recipe)[0]))
        if isinstance(again, PageError) or again.turn:
            return parsed.page
        return turned_back(again.page, parsed.turn, page.size)

    def _parsed(self, image: "Image", view: View, first: Result) -> Parsed | PageError:
        later = samplings(self.recipe)[1:]
        text = best_of(first, (partial(self._generate_one, image, sampling) for sampling in later))
        if isinstance(text, PageError):
            return text
        parsed = self._parse(text.content, view)
        if text.warning is None:
            return parsed
        if text.warning.code == WarningCode.REPETITION and not parsed.page.plain.strip():
            return _NOTHING
        log.warning("the text of a page may not be complete: %s", text.warning.message)
        return replace(parsed, page=replace(parsed.page, warnings=(text.warning,)))

    def _parse(self, answer: str, view: View) -> Parsed:
        try:
            return PARSERS[self.recipe.output](answer, view)
        except Exception:
            log.exception("an answer could not be parsed as %s: it is used as plain text", self.recipe.output)
            return Parsed(PageText(text=answer.strip(), blocks=text_blocks(answer)))


def turned_back(page: PageText, turn: int, size: tuple[int, int]) -> PageText:
    """A page that was turned clockwise by `turn` degrees, with its boxes on the image before that.

    `size` is the width and height of the image before, in pixels.
    """
    width, height = size

    def back(point: Point) -> Point:
        x, y = point
        return {90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}[turn]

    def box(quad: Quad) -> Quad:
        one, two, three, four = map(back, quad)
        return one, two, three, four

    blocks = page.blocks and tuple(replace(block, box=block.box and box(block.box)) for block in page.blocks)
    return replace(page, lines=[replace(line, box=box(line.box)) for line in page.lines], blocks=blocks)


def _unit(processor: Any) -> int:
    """The pixels that sides of page images are multiples of: two of the squares that become one token each."""
    images = getattr(processor, "image_processor", None)
    patch, merge = getattr(images, "patch_size", None), getattr(images, "merge_size", 1)
    return 2 * patch * merge if isinstance(patch, int) and isinstance(merge, int) else _UNIT
