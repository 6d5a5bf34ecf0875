"""What a family of miniatures has in common, and what its builder needs to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Ids = Callable[[str], int]  # the id of a token of the tokenizer


@dataclass(frozen=True, slots=True)
class Family:
    """A type of model: how its miniature is built, and the spellings of its authors."""

    name: str  # of the folder, as users name the model; recipes look at it
    config: Callable[[Ids, int], dict[str, Any]]  # (ids, size of the vocabulary) -> config.json
    specials: tuple[str, ...]  # special tokens, in the authors' spelling
    ends: str  # the special token with which an answer ends
    answer: tuple[str, ...]  # texts of the tokens that the model writes, one after another
    last: str  # the last token of the finished prompt, after which the answer begins
    plain: str = "A heading\n\nSome words of text."  # the text of the page that this answer stands for
    files: Mapping[str, Any] = field(default_factory=dict)  # name -> content as JSON, besides config and tokenizer
    template: str | None = None  # the chat template; None: the family has none
    wrap: tuple[str, str] | None = None  # special tokens that the tokenizer puts around every text
    places: Mapping[str, int] = field(default_factory=dict)  # ids of special tokens that mlx-vlm has in its code
    tokenizer: Mapping[str, Any] = field(default_factory=dict)  # further content of tokenizer_config.json
    residual: tuple[str, ...] = ("o_proj", "down_proj")  # layers that add to the residual stream of the decoder
    embedding: str = "language_model.model.embed_tokens.weight"
    head: str = "language_model.lm_head.weight"
    names: tuple[tuple[str, str], ...] = ()  # (pattern, replacement): from mlx-vlm's names of weights to the authors'
    decoder: str = "language_model."  # the beginning of the names of the decoder's weights
