"""Generates the tokens of pages with mlx-vlm, one at a time, so that each page can be checked and stopped.

Several pages are the rows of one batch (mlx-vlm's `BatchGenerator`); a single page uses `stream_generate`.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocrqueue.engines.mlx.answer import Answer, Bounds
from ocrqueue.engines.mlx.logits import NgramBlocker, RepetitionPenalty, Sampler
from ocrqueue.engines.mlx.recipes import NgramBlock

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 0.0  # 0: always the likeliest token
    top_p: float = 1.0  # above temperature 0: only the likeliest tokens with this share of the probability
    top_k: int = 0  # above temperature 0: only so many of the likeliest tokens; 0: all
    seed: int = 0  # of the random choice above temperature 0
    repetition_penalty: float | None = None  # None: no penalty
    ngram: NgramBlock | None = None  # None: the model may repeat any sequence of tokens

    def sampler(self) -> Sampler | None:
        """What chooses a token; None: the likeliest one."""
        return Sampler(self.temperature, self.top_p, self.top_k, self.seed) if self.temperature > 0 else None


GREEDY = Sampling()


class NoDetokenizer:
    """Takes the place of mlx-vlm's detokenizer, which fails for some added tokens; `LoadedModel.decode` is used."""

    text = last_segment = ""

    def reset(self) -> None:
        """Do nothing."""

    def add_token(self, token: int, skip_special_token_ids: Sequence[int] = ()) -> None:
        """Do nothing."""

    def finalize(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, as `mlx_vlm.load` returns it."""

    model: Any  # vision and language model of mlx-vlm
    processor: Any  # tokenizer and image processor; its detokenizer is replaced
    prompt: str  # with the chat template applied

    def __post_init__(self) -> None:
        self.processor.detokenizer = NoDetokenizer()

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers."""
        return getattr(self.processor, "tokenizer", self.processor)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens as the model wrote it, special tokens included."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def processors(self, sampling: Sampling) -> list[NgramBlocker | RepetitionPenalty]:
        """New logits processors for a page."""
        found: list[NgramBlocker | RepetitionPenalty] = []
        if sampling.repetition_penalty is not None:
            found.append(RepetitionPenalty(sampling.repetition_penalty))
        if block := sampling.ngram:
            words = self.tokenizer.get_vocab() if block.exempt else {}
            found.append(
                NgramBlocker(block.size, block.window, [words[token] for token in block.exempt if token in words])
            )
        return found


def generate_batch(
    loaded: LoadedModel, images: "Sequence[Image]", bounds: Bounds, sampling: Sampling = GREEDY
) -> "list[Answer | Exception]":
    """Generate several pages at once, with the same tokens as one by one. Raises what mlx-vlm raises.

    An error with the tokens of one page is the result of that page.
    """
    from mlx_vlm.generate.ar import BatchGenerator

    pages: list[Answer | Exception] = [Answer(loaded.decode, bounds) for _ in images]
    rows = [_prepare(loaded, image) for image in images]
    with closing(
        BatchGenerator(
            loaded.model.language_model,
            loaded.processor,
            sampler=sampling.sampler(),
            prefill_batch_size=len(images),
            completion_batch_size=len(images),
            prefill_step_size=None,
            compute_logprobs=False,
        )
    ) as generator:
        uids = generator.insert(
            [ids for ids, _ in rows],
            bounds.max_tokens + 1,
            prompt_kwargs=[kwargs for _, kwargs in rows],
            logits_processors=[loaded.processors(sampling) for _ in rows],
        )
        del rows
        _step(generator, {uid: number for number, uid in enumerate(uids)}, pages, bounds)
    return pages


def _step(generator: Any, rows: dict[int, int], pages: "list[Answer | Exception]", bounds: Bounds) -> None:
    """Generate until every page has ended. `rows` has the number of the page for each of the generator's ids."""
    while generator.has_work:
        for step in generator.next()[1]:
            page, is_over = pages[rows[step.uid]], step.finish_reason is not None
            assert isinstance(page, Answer)
            if step.finish_reason != "stop":
                try:
                    is_over |= page.take(int(step.token))
                except Exception as e:  # noqa: BLE001 -- a token that the tokenizer cannot decode fails its page only
                    pages[rows[step.uid]], is_over = e.with_traceback(None), True
            if is_over:
                rows.pop(step.uid)
                generator.remove(step.uid)  # does nothing if mlx-vlm has ended the page
        if reason := bounds.interrupted():
            for number in rows.values():
                page = pages[number]
                assert isinstance(page, Answer)
                page.stopped = reason
            return


def _prepare(loaded: LoadedModel, image: "Image") -> tuple[list[int], dict[str, Any]]:
    """The prompt of a page as token ids, and the language model's other inputs, such as the features of the image."""
    from mlx_vlm.utils import prepare_inputs, should_add_special_tokens

    config = loaded.model.config
    inputs = prepare_inputs(
        loaded.processor,
        images=[image],
        prompts=[loaded.prompt],
        image_token_index=getattr(config, "image_token_index", None),
        add_special_tokens=should_add_special_tokens(config.model_type, loaded.processor),
    )
    ids = inputs.pop("input_ids")
    pixels, mask = inputs.pop("pixel_values", None), inputs.pop("attention_mask", None)
    embeddings = loaded.model.get_input_embeddings(ids, pixels, mask=mask, **inputs)
    given = {name: value for name, value in embeddings.to_dict().items() if value is not None}
    return ids.tolist()[0], {**inputs, **given}


def generate_one(loaded: LoadedModel, image: "Image", bounds: Bounds, sampling: Sampling = GREEDY) -> Answer:
    """Generate one page. Raises what mlx-vlm raises."""
    page = Answer(loaded.decode, bounds, stopped=bounds.interrupted())
    if page.stopped:
        return page
    with closing(_stream(loaded, image, bounds, sampling)) as tokens:
        for token in tokens:
            if page.take(token):
                break
            if reason := bounds.interrupted():
                page.stopped = reason
                break
    return page


def _stream(loaded: LoadedModel, image: "Image", bounds: Bounds, sampling: Sampling) -> Generator[int, None, None]:
    from mlx_vlm import stream_generate

    steps = stream_generate(
        loaded.model,
        loaded.processor,
        loaded.prompt,
        image=[image],
        max_tokens=bounds.max_tokens + 1,
        temperature=0,  # `sampler` takes its place
        sampler=sampling.sampler(),
        logits_processors=loaded.processors(sampling),
    )
    with closing(steps):
        for step in steps:
            if step.finish_reason is None and step.token is not None:
                yield int(step.token)
