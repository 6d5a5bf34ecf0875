"""The quality of pages: fits its weights for an engine, and checks it on documents that were not used to fit.

`python -m bench.quality FOLDER [--engine NAME] [--told FOLDER]... [--readings FILE] [--after FILE] [--write]`. Pages
are read as they are, and once more as a bad copy (small, noisy, compressed); the first pages of documents in folders of
`--told` only as they are, in the language that their manifest.json names. Half of the documents fit the weights;
documents with the same text are in the same half. The tables are about the other half. `--readings` keeps what was
read, so that fitting again reads nothing. `--after` says that the engine is the second one, and names what the first
one has read: of each page, the engine is told the language that workers would tell it. `--write` puts the weights into
the package, in `ocrqueue/quality/weights.json`.
"""

import hashlib
import io
import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageFilter

from bench.languages import lang_of
from bench.support import corpus, scoring, table
from bench.support.engine import loaded
from bench.support.stack import machine
from ocrqueue import quality
from ocrqueue.documents import open_document
from ocrqueue.engines import Engine
from ocrqueue.errors import PageError
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import POORLY_READ, PageText
from ocrqueue.quality.signals import Signals, signals_of
from ocrqueue.upright import upright

WEIGHTS = Path(quality.__file__).with_name("weights.json")
COPIES = ((1.0, 0.0, 0.0, 95), (0.42, 14.0, 0.6, 40), (0.33, 20.0, 0.8, 30))  # scale, noise, blur, JPEG's quality
BINS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.01)  # bounds of quality in the table
RIDGE = 0.01  # keeps weights small that few pages speak for
LIMITS, OPTIONS = Limits(), Options()

Page = tuple[str, int, int]  # name of the document, page, copy


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one page whose text is known."""

    file: str  # name of the document
    group: str  # equal for documents with the same text
    lang: str
    page: int
    copy: int  # index in `COPIES`
    right: float  # share of the page's words that were read correctly, 0 to 1
    signals: dict[str, float]

    @property
    def key(self) -> Page:
        """Which page it is, and which copy of it."""
        return self.file, self.page, self.copy

    @property
    def is_fitted(self) -> bool:
        """Whether the document is in the half that fits the weights."""
        return is_fitted(self.group)

    @property
    def features(self) -> dict[str, float]:
        """What the weights belong to."""
        return quality.features_of(Signals(**self.signals))

    def quality(self, engine: str, weights: dict[str, float]) -> float:
        """The quality that workers give the page."""
        return quality.expected(Signals(**self.signals), engine, weights)


def samples_of(entry: corpus.Entry, engine: Engine, langs: Mapping[Page, str | None]) -> Iterator[Sample]:
    """Read the pages of a document, as they are and as bad copies, each in its language if `langs` has it."""
    group = group_of(entry)
    for number, copy, truth, found in readings(entry, engine, langs):
        signals = signals_of(found)
        right = scoring.words_right(found.plain, truth, entry.lang, ignore_case=entry.ignores_case)
        if signals is not None and right is not None:
            yield Sample(entry.file.name, group, entry.lang, number, copy, right, asdict(signals))


def told(entry: corpus.Entry, engine: Engine) -> Iterator[Sample]:
    """Read the first page of a document in its own language."""
    with open_document(entry.file, LIMITS, None) as document:
        image = upright(document.render(1, None, engine.dpi), LIMITS.max_pixels, entry.file.name).image
    found = engine.read([image], Options(lang=lang_of(entry)))[0]
    if isinstance(found, PageError) or (signals := signals_of(found)) is None:
        return
    truth = entry.truth.read_text().partition("\f")[0]
    right = scoring.words_right(found.plain, truth, entry.lang, ignore_case=entry.ignores_case)
    if right is not None:
        yield Sample(entry.file.name, group_of(entry), entry.lang, 1, 0, right, asdict(signals))


def readings(
    entry: corpus.Entry, engine: Engine, langs: Mapping[Page, str | None] = MappingProxyType({})
) -> Iterator[tuple[int, int, str, PageText]]:
    """Number, copy, truth and reading of each page that can be read, as it is and as a bad copy."""
    with open_document(entry.file, LIMITS, None) as document:
        for number, truth in enumerate(entry.truth.read_text().split("\f")[: entry.pages], 1):
            image = upright(document.render(number, None, engine.dpi), LIMITS.max_pixels, entry.file.name).image
            for copy in (0, 1 + number % 2):
                options = Options(lang=langs.get((entry.file.name, number, copy)))
                found = engine.read([copied(image, copy, number)], options)[0]
                if not isinstance(found, PageError):
                    yield number, copy, truth, found


def kept(file: Path) -> list[Sample]:
    """What `--readings` has kept."""
    return [Sample(**row) for row in json.loads(file.read_text())]


def group_of(entry: corpus.Entry) -> str:
    """Equal for documents whose truths begin alike."""
    truth = entry.truth.read_text().split("\f")[0]
    return hashlib.sha256(scoring.fold(truth)[:200].encode()).hexdigest()


def is_fitted(group: str) -> bool:
    """Whether documents are in the half on which values are chosen."""
    return hashlib.sha256(group.encode()).digest()[0] % 2 == 0


def copied(image: Image.Image, copy: int, seed: int) -> Image.Image:
    """A copy of a page as `COPIES` describes it, in its size; small pictures and copy 0 stay as they are."""
    scale, noise, blur, jpeg = COPIES[copy]
    if not copy or max(image.size) < 600:
        return image
    small = image.convert("L").resize((round(image.width * scale), round(image.height * scale)))
    pixels = np.asarray(small) * 0.85 + 20 + np.random.default_rng(seed).normal(0, noise, (small.height, small.width))
    grey = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))
    stored = io.BytesIO()
    grey.save(stored, "JPEG", quality=jpeg)
    return Image.open(stored).resize(image.size).convert("RGB")


def fitted(samples: Sequence[Sample]) -> dict[str, float]:
    """The weights of the features. One that would raise the quality gets 0, since each is a reason for doubt."""
    left_out: set[str] = set()
    while True:
        weights = _regression(samples, [name for name in samples[0].features if name not in left_out])
        wrong = {name for name, weight in weights.items() if weight > 0 and name != "constant"}
        if not wrong:
            return {name: weights.get(name, 0.0) for name in samples[0].features}
        left_out |= wrong


def _regression(samples: Sequence[Sample], names: Sequence[str]) -> dict[str, float]:
    """The weights of a logistic regression on shares, with a ridge, by Newton's method; documents weigh the same."""
    x = np.array([[s.features[name] for name in names] for s in samples])
    y = np.array([s.right for s in samples])
    of_group = {s.group: sum(t.group == s.group for t in samples) for s in samples}
    share = np.array([1 / of_group[s.group] ** 0.5 for s in samples])
    ridge = RIDGE * np.diag([0.0, *[1.0] * (len(names) - 1)])
    weights = np.zeros(len(names))
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (share * (y - p)) - ridge @ weights
        weights += np.linalg.solve((x * (share * p * (1 - p) + 1e-6)[:, None]).T @ x + ridge, slope)
    return {name: round(float(w), 3) for name, w in zip(names, weights, strict=True)}


def reliability(samples: Sequence[Sample], engine: str, weights: dict[str, float]) -> None:
    """Print how well the quality agrees with the truth, in bins and on the whole."""
    known = [(s.quality(engine, weights), s.right) for s in samples]
    bins = [[pair for pair in known if low <= pair[0] < high] for low, high in pairwise(BINS)]
    rows: list[list[table.Cell]] = [
        [f"{low:.2f} to {min(high, 1):.2f}", len(inside), fmean(q for q, _ in inside), fmean(r for _, r in inside)]
        for (low, high), inside in zip(pairwise(BINS), bins, strict=True)
        if inside
    ]
    table.show(("quality", "readings", "mean quality", "words right"), rows)
    poor, read_poorly = ([pair[i] < POORLY_READ for pair in known] for i in (0, 1))
    both = sum(a and b for a, b in zip(poor, read_poorly, strict=True))
    error = sum(abs(fmean(q - r for q, r in inside)) * len(inside) for inside in bins if inside) / len(known)
    print(
        f"\n{len(known)} readings of {len({s.file for s in samples})} documents; calibration error {error:.3f}; "
        f"mean absolute error {fmean(abs(q - r) for q, r in known):.3f} "
        f"(without signals {fmean(abs(fmean(r for _, r in known) - r) for _, r in known):.3f}); "
        f"AUC of {sum(read_poorly)} poorly read ones {auc(known):.3f}; below {POORLY_READ}: {sum(poor)}, of them "
        f"{both} poorly read"
    )


def auc(known: Sequence[tuple[float, float]]) -> float:
    """The probability that a poorly read page has a lower quality than another one."""
    bad = [q for q, right in known if right < POORLY_READ]
    good = [q for q, right in known if right >= POORLY_READ]
    wins = sum((b < g) + (b == g) / 2 for b in bad for g in good)
    return wins / (len(bad) * len(good)) if bad and good else float("nan")


def main() -> None:
    """Read, fit, check and print."""
    parser = ArgumentParser(prog="python -m bench.quality", description="Fits and checks the quality of pages.")
    corpus.arguments(parser)
    parser.add_argument("--engine", default="rapidocr", help="default: rapidocr")
    parser.add_argument("--told", type=Path, action="append", default=[], metavar="FOLDER", help="read in its language")
    parser.add_argument("--readings", type=Path, metavar="FILE", help="keep what was read in FILE")
    parser.add_argument("--after", type=Path, metavar="FILE", help="what the first engine has read, of --readings")
    parser.add_argument("--write", action="store_true", help="put the weights into the package")
    given = parser.parse_args()
    if given.readings and given.readings.exists():
        samples = kept(given.readings)
    else:
        engine = loaded(given.engine)
        langs = {s.key: quality.language_in(Signals(**s.signals)) for s in kept(given.after)} if given.after else {}
        samples = [s for entry in corpus.load(given.folder, given.classes) for s in samples_of(entry, engine, langs)]
        samples += [s for folder in given.told for entry in corpus.load(folder) for s in told(entry, engine)]
        if given.readings:
            given.readings.write_text(json.dumps([asdict(s) for s in samples], indent=0))
    weights = fitted([s for s in samples if s.is_fitted])
    known = json.loads(WEIGHTS.read_text()) if WEIGHTS.exists() else {}
    for origin, some in (("fitted now", weights), ("in the package", known.get(given.engine))):
        if some:
            print(f"\n{given.engine}, {origin}: {json.dumps(some)}")
            for title, half in (("half that was fitted", True), ("other half", False)):
                print(f"\n{title}:")
                reliability([s for s in samples if s.is_fitted == half], given.engine, some)
    print(f"\n{machine()}")
    if given.write:
        WEIGHTS.write_text(json.dumps(known | {given.engine: weights}, indent=1) + "\n")


if __name__ == "__main__":
    main()
