"""Footnotes: which mark in the text of a page refers to which of its notes."""

import re
from collections.abc import Iterable, Sequence

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.storage.values import clean_text

# A mark in a text: the label and the marker of its note, between characters that no text of a result contains.
MARK = re.compile("\x02([^\x02-\x04]*)\x03([^\x02-\x04]*)\x04")
_BRACKETS = "()[]. "
_LABEL = re.compile(r"[A-Za-z0-9]{1,6}")
# A note that Markdown without footnotes takes for the target of a link: it is better written as a paragraph.
_TARGET = re.compile(r"\s*\S+(\s+[\"'(].*)?\s*", re.DOTALL)
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", "0123456789()")
_NO_UNIT = r"(?<!\bm)(?<!\b[cdkm]m)"  # "km²" refers to no note
_HAS_MARKS = frozenset(
    {BlockKind.TITLE, BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.CAPTION}
)


class Notes:
    """Gives the notes of a document labels that are unique in it, page by page."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def marked(self, blocks: Sequence[Block], page: int) -> tuple[list[str], list[str | None]]:
        """The texts of a page's blocks, with a `MARK` where one refers to a note of the page, and the notes' labels.

        A note to which no mark refers has no label.
        """
        texts = [clean_text(block.text) for block in blocks]
        labels: list[str | None] = [None] * len(blocks)
        for index, block in enumerate(blocks):
            marker = clean_text(block.marker or "").translate(_PLAIN).strip(_BRACKETS)
            if block.kind != BlockKind.FOOTNOTE or block.continues or not marker or _TARGET.fullmatch(texts[index]):
                continue
            if found := _reference(marker, blocks, texts):
                place, match = found
                label = labels[index] = self._label(marker, page)
                text = texts[place]
                texts[place] = f"{text[: match.start()]}\x02{label}\x03{marker}\x04{text[match.end() :]}"
        return texts, labels

    def _label(self, marker: str, page: int) -> str:
        """A new label: the marker itself if it is a number or letter that was not used yet."""
        for label in self._candidates(marker, page):
            if label not in self._taken:
                break
        self._taken.add(label)
        return label

    def _candidates(self, marker: str, page: int) -> Iterable[str]:
        if _LABEL.fullmatch(marker):
            yield marker
        count = 1
        while True:
            yield f"{page}-{count}"
            count += 1


def _reference(marker: str, blocks: Sequence[Block], texts: Sequence[str]) -> tuple[int, re.Match[str]] | None:
    """The index of the first text with a mark of a note, and the mark."""
    for pattern in _patterns(marker):
        for index, block in enumerate(blocks):
            if block.kind in _HAS_MARKS and (match := pattern.search(texts[index])):
                return index, match
    return None


def _patterns(marker: str) -> tuple[re.Pattern[str], ...]:
    """Match the mark of a note in a text; the surest first.

    A number stands after a word of three letters or more, after punctuation that follows no number, or in brackets; a
    letter only in brackets; a symbol after anything but a blank.
    """
    exact = re.escape(marker)
    if marker.isdigit():
        raised = _NO_UNIT + re.escape(marker.translate(_SUPERSCRIPTS))
        after_word = rf"(?<=[^\W\d_]{{3}}){exact}(?!\w)"
        after_sentence = rf"(?<=[^\d\s][.,;:!?…”’»\"')\]]){exact}(?=[\s.,;:!?)]|$)"
        printed = rf"{raised}(?![⁰¹²³⁴⁵⁶⁷⁸⁹])|\[{exact}\]|{after_word}|{after_sentence}"
        return re.compile(printed), re.compile(rf"(?<=\S )\({exact}\)")
    if marker.isalnum():
        return (re.compile(rf"\[{exact}\]"),)
    return (re.compile(rf"(?<=[^\s\x02-\x04]){exact}(?!{re.escape(marker[-1])})"),)
