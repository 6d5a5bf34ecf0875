"""Which words of a page are wrong: the confidence of words, compared with that of their lines.

`python -m bench.words FOLDER [--engine NAME]`. The first pages of each document are read as they are and as bad
copies, as in `bench.quality`. A word is right if the truth of its page has it, compared as multisets; marks that stand
alone do not count. The tables of both halves say which share of the words below a limit is wrong (precision), and which
share of the wrong words is below it (recall).
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bench.quality import group_of, is_fitted, readings
from bench.support import corpus, scoring, table
from bench.support.engine import loaded
from bench.support.stack import machine
from ocrqueue.pages import PageText

PAGES = 2  # of each document at most, so that long ones do not outweigh the others
LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was read."""

    own: float  # its confidence
    line: float  # that of its line
    is_right: bool


def words_of(page: PageText, truth: str, entry: corpus.Entry) -> Iterator[Word]:
    """The words of a page, those that the engine is sure of first. The words of Vietnamese are its syllables."""
    lang = "en" if entry.lang.startswith("vi") else entry.lang
    left = scoring.words(scoring.fold(truth, lang, entry.ignores_case), lang)
    read = [(word, line) for line in page.lines for word in line.words]
    for word, line in sorted(read, key=lambda pair: -(pair[0].confidence or 0.0)):
        text = scoring.fold(word.text, lang, entry.ignores_case)
        if word.confidence is None or line.confidence is None or not any(map(str.isalnum, text)):
            continue
        yield Word(word.confidence, line.confidence, left[text] > 0)
        left[text] -= 1


def row(limit: float, words: Sequence[Word]) -> list[table.Cell]:
    """Precision and recall of both confidences at a limit."""
    wrong = sum(not word.is_right for word in words)
    cells: list[table.Cell] = [str(limit)]
    for below in ([w for w in words if w.own < limit], [w for w in words if w.line < limit]):
        found = sum(not word.is_right for word in below)
        cells += [f"{found / len(below):.2f}" if below else "-", f"{found / wrong:.2f}" if wrong else "-"]
    return cells


def main() -> None:
    """Read and print."""
    parser = ArgumentParser(prog="python -m bench.words", description="Which words below a confidence are wrong.")
    corpus.arguments(parser)
    parser.add_argument("--engine", default="rapidocr", help="default: rapidocr")
    given = parser.parse_args()
    engine = loaded(given.engine)
    halves: dict[bool, list[Word]] = {True: [], False: []}
    for entry in corpus.load(given.folder, given.classes):
        for _, _, truth, page in islice(readings(entry, engine), 2 * PAGES):
            halves[is_fitted(group_of(entry))] += words_of(page, truth, entry)
    for title, words in (("half on which the limit was chosen", halves[True]), ("other half", halves[False])):
        print(f"\n{title}: {len(words)} words, {sum(not word.is_right for word in words)} of them wrong")
        heads = ("below", "precision of words", "recall", "precision of lines", "recall")
        table.show(heads, [row(limit, words) for limit in LIMITS])
    print(f"\n{given.engine}; {machine()}")


if __name__ == "__main__":
    main()
