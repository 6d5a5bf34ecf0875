"""The words of a line of a PDF, with boxes that are made when they are needed. Most lines never need them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

from ocrqueue.documents.pdf.boxes import Array, quads_of
from ocrqueue.pages import Word


class PlacedWords(Sequence[Word]):
    """The words of a line, in order. They behave as a tuple of words does.

    `corners` are those of the words in points, as x and y of each: words x 8. `zoom` is in pixels per point.
    """

    def __init__(self, texts: Sequence[str], corners: Array, zoom: float) -> None:
        self._texts = texts
        self._corners = corners
        self._zoom = zoom

    @cached_property
    def _words(self) -> tuple[Word, ...]:
        return tuple(map(Word, self._texts, quads_of(self._corners * self._zoom)))

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Word: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Word, ...]: ...

    def __getitem__(self, index: int | slice) -> Word | tuple[Word, ...]:
        return self._words[index]

    def __iter__(self) -> Iterator[Word]:
        return iter(self._words)

    def __eq__(self, other: object) -> bool:
        return self._words == (other._words if isinstance(other, PlacedWords) else other)

    def __hash__(self) -> int:
        return hash(self._words)

    def __repr__(self) -> str:
        return repr(self._words)
