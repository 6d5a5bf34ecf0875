"""Generates the tokens of pages with mlx-vlm, one at a time, so that each page can be checked and stopped.

Several pages are the rows of one batch (mlx-vlm's `BatchGenerator`); a single page uses `stream_generate`.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ocrqueue.engines.mlx.runaway import RunawayGuard

if TYPE_CHECKING:
    from PIL.Image import Image


class Stop(StrEnum):
    """Why generating a page was stopped before the model ended it."""

    RUNAWAY = "runaway"  # the model repeats itself
    LENGTH = "length"  # the limit on tokens was reached
    TIMEOUT = "timeout"  # the deadline has passed
    CANCELLED = "cancelled"  # the job was cancelled


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 0.0  # 0: always the likeliest token
    repetition_penalty: float | None = None  # None: no penalty
    seed: int = 0  # of the random choice, which a temperature above 0 makes


GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits at which generating is stopped although the model has not ended."""

    max_tokens: int  # per page
    deadline: float  # in seconds of time.monotonic()
    is_cancelled: Callable[[], bool]  # asked after every token


@dataclass(slots=True)
class Answer:
    """What the model has generated for one page."""

    tokens: list[int] = field(default_factory=list)  # ids, without the one that ends the page
    stopped: Stop | None = None  # why generating was stopped; None: the model ended the page
    guard: RunawayGuard = field(default_factory=RunawayGuard)  # has seen the same tokens

    def take(self, token: int, bounds: Bounds) -> bool:
        """Add a token. Returns whether the page must be stopped."""
        self.tokens.append(token)
        if self.guard.is_runaway(token):
            self.stopped = Stop.RUNAWAY
        elif len(self.tokens) >= bounds.max_tokens:
            self.stopped = Stop.LENGTH
        return self.stopped is not None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, as `mlx_vlm.load` returns it."""

    model: Any  # vision and language model of mlx-vlm
    processor: Any  # tokenizer and image processor
    prompt: str  # with the chat template applied

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, from mlx-vlm's own detokenizer."""
        detokenizer = self.processor.detokenizer
        detokenizer.reset()
        for token in tokens:
            detokenizer.add_token(token)
        detokenizer.finalize()
        text = str(detokenizer.text)
        detokenizer.reset()
        return text


def generate_batch(loaded: LoadedModel, images: "Sequence[Image]", bounds: Bounds) -> list[Answer]:
    """Generate several pages at once, greedily, with the same tokens as one by one. Raises what mlx-vlm raises."""
    from mlx_vlm.generate.ar import BatchGenerator

    pages = [Answer() for _ in images]
    rows = [_prepare(loaded, image) for image in images]
    with closing(
        BatchGenerator(
            loaded.model.language_model,
            loaded.processor,
            prefill_batch_size=len(images),
            completion_batch_size=len(images),
            prefill_step_size=None,
            compute_logprobs=False,
        )
    ) as generator:
        uids = generator.insert(
            [ids for ids, _ in rows], bounds.max_tokens + 1, prompt_kwargs=[kwargs for _, kwargs in rows]
        )
        del rows
        by_uid = dict(zip(uids, pages, strict=True))
        while generator.has_work:
            for step in generator.next()[1]:
                if step.finish_reason != "stop" and by_uid[step.uid].take(int(step.token), bounds):
                    generator.remove(step.uid)
                if step.finish_reason or by_uid[step.uid].stopped:
                    by_uid.pop(step.uid)
            if reason := _interrupted(bounds):
                for page in by_uid.values():
                    page.stopped = reason
                break
    return pages


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
    page = Answer()
    with closing(_stream(loaded, image, bounds, sampling)) as tokens:
        for token in tokens:
            if page.take(token, bounds):
                break
            if reason := _interrupted(bounds):
                page.stopped = reason
                break
    return page


def _stream(loaded: LoadedModel, image: "Image", bounds: Bounds, sampling: Sampling) -> Generator[int, None, None]:
    import mlx.core as mx
    from mlx_vlm import stream_generate

    mx.random.seed(sampling.seed)
    steps = stream_generate(
        loaded.model,
        loaded.processor,
        loaded.prompt,
        image=[image],
        max_tokens=bounds.max_tokens + 1,
        temperature=sampling.temperature,
        repetition_penalty=sampling.repetition_penalty,
    )
    with closing(steps):
        for step in steps:
            if step.finish_reason is None and step.token is not None:
                yield int(step.token)


def _interrupted(bounds: Bounds) -> Stop | None:
    if time.monotonic() > bounds.deadline:
        return Stop.TIMEOUT
    return Stop.CANCELLED if bounds.is_cancelled() else None
