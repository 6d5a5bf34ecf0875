"""How the next token of a page is chosen: n-gram blocker and repetition penalty, and sampling with top_k and top_p.

mlx-vlm calls a logits processor with the logits of one page, an array of shape (1, size of the vocabulary): once after
the prompt, and then after every token. Processors are made anew for every page, because they remember its tokens.
"""

from abc import ABC, abstractmethod
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Logits = Any  # mlx.core.array


class _Processor(ABC):
    """A logits processor that counts the generated tokens only: the prompt is no text that the model repeats."""

    def __init__(self) -> None:
        self._prompted = False

    def __call__(self, tokens: Any, logits: Logits) -> Logits:
        """Process the logits; `tokens` are prompt and page. The first call comes before the first generated token."""
        if not self._prompted:
            self._prompted = True
            return logits
        return self.process_last_token(int(tokens[-1]), logits)

    @abstractmethod
    def process_last_token(self, token: int, logits: Logits) -> Logits:
        """Process the logits after this token. mlx-vlm's batches call it instead of `__call__` if it exists."""


class NgramBlocker(_Processor):
    """Forbids tokens that would repeat a sequence of `size` tokens, as DeepSeek-OCR's `NoRepeatNGramLogitsProcessor`.

    A sequence counts if all of it lies within the last `window` tokens; without a window, anywhere on the page. Tokens
    in `exempt` are never forbidden. The time for a token does not depend on the length of the page.
    """

    def __init__(self, size: int, window: int | None = None, exempt: Sequence[int] = ()) -> None:
        super().__init__()
        self._size, self._window, self._exempt = size, window, frozenset(exempt)
        self._tokens = array("q")
        self._followers: dict[bytes, deque[tuple[int, int]]] = {}  # by a sequence's first tokens: (start, last token)
        self._oldest = 0  # start of the oldest sequence in `_followers`

    def process_last_token(self, token: int, logits: Logits) -> Logits:
        """The logits with minus infinity for every forbidden token."""
        import mlx.core as mx

        self.add(token)
        if banned := self.banned():
            logits[:, mx.array(banned)] = -mx.inf
        return logits

    def add(self, token: int) -> None:
        """Remember a generated token."""
        self._tokens.append(token)
        start = len(self._tokens) - self._size
        if start >= 0 and token not in self._exempt:
            self._followers.setdefault(self._first(start), deque()).append((start, token))
        if self._window is not None:
            self._forget(len(self._tokens) - self._window)

    def banned(self) -> list[int]:
        """The tokens that must not come next."""
        start = len(self._tokens) - self._size + 1
        return sorted({token for _, token in self._followers.get(self._first(start), ())}) if start >= 0 else []

    def _first(self, start: int) -> bytes:
        return self._tokens[start : start + self._size - 1].tobytes()

    def _forget(self, before: int) -> None:
        """Remove the sequences that start before this token."""
        for start in range(self._oldest, min(before, len(self._tokens) - self._size + 1)):
            first = self._first(start)
            followers = self._followers.get(first)
            if followers and followers[0][0] == start:
                followers.popleft()
                if not followers:
                    del self._followers[first]
        self._oldest = max(self._oldest, before)


class RepetitionPenalty(_Processor):
    """Makes tokens less likely that the page has already, by the factor `penalty` (Keskar and others, 2019).

    All tokens of the page count, as in transformers and vLLM; mlx-vlm's own penalty looks at the last 20.
    """

    def __init__(self, penalty: float) -> None:
        super().__init__()
        self._penalty = penalty
        self._seen: dict[int, None] = {}

    def process_last_token(self, token: int, logits: Logits) -> Logits:
        """The logits, those of seen tokens divided by the penalty if positive, else multiplied."""
        import mlx.core as mx

        self._seen[token] = None
        seen = mx.array(list(self._seen))
        chosen = logits[:, seen]
        logits[:, seen] = mx.where(chosen < 0, chosen * self._penalty, chosen / self._penalty)
        return logits


@dataclass(frozen=True, slots=True)
class Sampler:
    """Chooses a token at random. The choice depends on the seed, the place in the page and the logits only.

    So a page gets the same tokens alone and in a batch.
    """

    temperature: float  # above 0
    top_p: float = 1.0  # only the likeliest tokens that together have this share of the probability
    top_k: int = 0  # only so many of the likeliest tokens; 0: all
    seed: int = 0

    def __call__(self, logprobs: Logits) -> Logits:
        """Token ids of shape (rows,) for logarithms of probabilities of shape (rows, size of the vocabulary)."""
        return self.sample_target(logprobs, row_ids=[0] * len(logprobs), positions=range(len(logprobs)))

    def sample_target(self, logprobs: Logits, *, row_ids: Sequence[int], positions: Sequence[int]) -> Logits:  # noqa: ARG002
        """The same for rows at these places of their pages. mlx-vlm calls it instead of `__call__` if it exists."""
        import mlx.core as mx
        from mlx_vlm.sample_utils import apply_top_k, top_p_sampling

        if 0 < self.top_k < logprobs.shape[-1]:
            logprobs = apply_top_k(logprobs, self.top_k)
        keys = [mx.random.key(self.seed << 32 | position) for position in positions]
        rows = zip(logprobs, keys, strict=True)
        return mx.stack([top_p_sampling(row, self.top_p, self.temperature, key=key) for row, key in rows])
