"""Which of two readings is kept if the second engine says nothing about its quality, and whether it is the better one.

`python -m bench.agreement FOLDER [--engines FIRST SECOND] [--readings FILE]`. The first engine reads every page, as
it is and once more as a bad copy. What it reads poorly is read by the second one, whose confidences are then hidden: it
stands for a vision-language model. Further second readings are made of the true text: all of it, with wrong words, a
part, a part that is repeated, another page. `--readings` keeps what was read, so that nothing is read again.

Half of the documents have chosen the bounds of `ocrqueue.quality.agreement`; the tables show both halves.
"""

import json
import random
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from bench.quality import OPTIONS, copied, group_of, is_fitted, readings
from bench.support import corpus, scoring, table
from bench.support.engine import loaded
from bench.support.stack import machine
from ocrqueue.documents import open_document
from ocrqueue.engines import Engine
from ocrqueue.errors import PageError
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import READ_AGAIN, PageText
from ocrqueue.quality import language_in, quality_of
from ocrqueue.quality.agreement import is_credible
from ocrqueue.quality.signals import signals_of
from ocrqueue.states import Origin
from ocrqueue.upright import upright

HEADER = ("second reading", "pages", "kept", "better", "worse", "words wrong before", "after", "oracle")
_WRONG = "xqzüéф漢"  # letters for words that are made wrong
_LEAST = 20  # characters of a true text
_MATTERS = 0.01  # share of the words by which a reading is better or worse


@dataclass(frozen=True, slots=True)
class Sample:
    """A page that the first engine has read poorly."""

    file: str
    group: str  # equal for documents with the same text
    lang: str
    ignores_case: bool
    truth: str
    first: str
    quality: float
    second: str

    def right(self, text: str) -> float:
        """The share of the page's words that a text has."""
        return scoring.words_right(text, self.truth, self.lang, ignore_case=self.ignores_case) or 0.0


def samples(entry: corpus.Entry, first: Engine, second: Engine) -> Iterator[Sample]:
    """The pages of a document that the first engine reads poorly."""
    for number, copy, truth, found in readings(entry, first):
        quality = quality_of(found, first.name)
        if quality is None or quality >= READ_AGAIN or len(truth) < _LEAST:
            continue
        again = _read_again(entry, number, copy, found, second)
        if not isinstance(again, PageError):
            texts = {"truth": truth, "first": found.plain, "second": again.plain}
            yield Sample(entry.file.name, group_of(entry), entry.lang, entry.ignores_case, quality=quality, **texts)


def _read_again(entry: corpus.Entry, number: int, copy: int, found: PageText, engine: Engine) -> PageText | PageError:
    """The page as the second engine reads it, in the language that the first reading tells."""
    options = Options(lang=language_in(signals_of(found))) if engine.name == "tesseract" else OPTIONS
    with open_document(entry.file, Limits(), None) as document:
        image = upright(document.render(number, None, engine.dpi), Limits().max_pixels, entry.file.name).image
    return engine.read([copied(image, copy, number)], options)[0]


def made(sample: Sample, all_samples: Sequence[Sample]) -> dict[str, str]:
    """Second readings that are made of the true text, by what they are."""
    rng = random.Random(f"{sample.file} {sample.truth[:100]}")
    truth = sample.truth
    others = [s.truth for s in all_samples if s.lang == sample.lang and s.truth != truth]
    half = truth[: len(truth) // 2]
    return {
        "right": truth,
        "1 word in 10 wrong": _with_errors(truth, 0.1, rng),
        "3 words in 10 wrong": _with_errors(truth, 0.3, rng),
        "6 words in 10 wrong": _with_errors(truth, 0.6, rng),
        "the first half": half,
        "the first half, three times": f"{half}\n" * 3,
        "another page": rng.choice(others or [s.truth for s in all_samples if s.truth != truth]),
    }


def _with_errors(text: str, share: float, rng: random.Random) -> str:
    """The text with a wrong letter in this share of its words; of its characters, where it has no spaces."""

    def wrong(word: str) -> str:
        if not word or rng.random() > share:
            return word
        place = rng.randrange(len(word))
        return word[:place] + rng.choice(_WRONG) + word[place + 1 :]

    parts = text.split(" ")
    return " ".join(map(wrong, parts)) if len(parts) >= len(text) / 20 else "".join(map(wrong, text))


def row(name: str, pairs: Sequence[tuple[Sample, str]], engine: str) -> list[table.Cell]:
    """What the rule does with these second readings; `engine` is the first one."""
    before = [sample.right(sample.first) for sample, _ in pairs]
    second = [sample.right(text) for sample, text in pairs]
    kept = [is_credible(_page(sample.first, sample.quality, engine), _page(text)) for sample, text in pairs]
    after = [b if is_kept else a for a, b, is_kept in zip(before, second, kept, strict=True)]
    best = [max(a, b) for a, b in zip(before, second, strict=True)]
    better, worse = (sum(sign * (b - a) > _MATTERS for a, b in zip(before, after, strict=True)) for sign in (1, -1))
    return [name, len(pairs), sum(kept), better, worse, 1 - fmean(before), 1 - fmean(after), 1 - fmean(best)]


def _page(text: str, quality: float | None = None, engine: str = "") -> dict[str, object]:
    """The fields of a page's result that the rule looks at."""
    lines = [{"text": text, "origin": Origin.OCR}]
    return {"engine": engine, "text": text, "lines": lines, "quality": quality, "warnings": []}


def main() -> None:
    """Read, compare and print."""
    parser = ArgumentParser(prog="python -m bench.agreement", description="Which of two readings is kept.")
    corpus.arguments(parser)
    parser.add_argument("--engines", nargs=2, default=("rapidocr", "tesseract"), metavar="NAME")
    parser.add_argument("--readings", type=Path, metavar="FILE", help="keep what was read in FILE")
    given = parser.parse_args()
    if given.readings and given.readings.exists():
        found = [Sample(**one) for one in json.loads(given.readings.read_text())]
    else:
        first, second = map(loaded, given.engines)
        found = [s for entry in corpus.load(given.folder, given.classes) for s in samples(entry, first, second)]
        if given.readings:
            given.readings.write_text(json.dumps([asdict(s) for s in found], indent=0, ensure_ascii=False))
    for title, half in (("half that has chosen", True), ("other half", False)):
        mine = [sample for sample in found if is_fitted(sample.group) == half]
        kinds: dict[str, list[tuple[Sample, str]]] = {given.engines[1]: [(s, s.second) for s in mine]}
        for sample in mine:
            for name, text in made(sample, found).items():
                kinds.setdefault(name, []).append((sample, text))
        print(f"\n{given.engines[0]}, {title}: {len(mine)} readings of {len({s.file for s in mine})} documents\n")
        table.show(HEADER, [row(name, pairs, given.engines[0]) for name, pairs in kinds.items()])
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
