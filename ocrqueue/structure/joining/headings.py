"""The title of a document, and the levels of its headings: by their numbers, then by size and weight of type."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ocrqueue.blocks import BlockKind
from ocrqueue.structure.joining.survey import Heading, Survey

_LARGEST = 1.08  # times the size of all other headings: least size of a title
_ALONE = 1.3  # times the size of the text: least size of a title without other headings
_SAME, _SAME_READ = 1.03, 1.07  # ratio of the next smaller size of one level at most; where pages were read by OCR
_NEAR = 1.5  # steps of that ratio: so near are the sizes of headings with and without numbers on one level
_SPREAD = 3  # steps of that ratio between the sizes of one level, at most
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Levels:
    """What the headings of a document are."""

    title: tuple[int, int] | None  # page and index of the block
    of: dict[tuple[int, int], int]  # by page and index: level


def levels_of(survey: Survey, headings: Sequence[Heading]) -> Levels:
    """The title and the levels. `headings` are in the order of the document."""
    title = _title(headings, survey.body_size)
    rest = [heading for heading in headings if heading is not title]
    if any(heading.size is None for heading in rest):
        levels = _as_given(rest)
    else:
        levels = _by_type(rest, _SAME_READ if survey.is_read else _SAME)
    place = None if title is None else (title.page, title.index)
    return Levels(place, {(h.page, h.index): level for h, level in zip(rest, levels, strict=True)})


def _title(headings: Sequence[Heading], body: float | None) -> Heading | None:
    """The first heading, if it is called a title or larger than all others."""
    if not headings:
        return None
    first, *rest = headings
    if first.kind == BlockKind.TITLE:
        return first
    if first.number or not first.size:
        return None
    sizes = [heading.size for heading in rest if heading.size]
    if sizes:
        return first if first.size >= _LARGEST * max(sizes) else None
    return first if body and first.size >= _ALONE * body else None


def _as_given(headings: Sequence[Heading]) -> list[int]:
    """The levels that the pages say, the highest of which becomes 1; numbers go first."""
    least = min((heading.level or 1 for heading in headings), default=1)
    return [min(heading.number or (heading.level or 1) - least + 1, _DEEPEST) for heading in headings]


def _by_type(headings: Sequence[Heading], same: float) -> list[int]:
    """Levels by number, and of headings without one by the size of their type beside that of numbered ones."""
    clusters = _clusters([heading for heading in headings if not heading.number], same)
    numbered: dict[int, float] = {}
    for depth in {heading.number for heading in headings if heading.number}:
        numbered[depth] = median(h.size for h in headings if h.number == depth and h.size)
    near = same**_NEAR
    higher = sum(cluster[0] > near * numbered[min(numbered)] for cluster in clusters) if numbered else 0
    more = max(0, higher - min(numbered) + 1) if numbered else 0  # levels above the highest numbered one
    levels = {cluster: _level(rank, cluster, numbered, more, near) for rank, cluster in enumerate(clusters, 1)}
    return [
        min(heading.number + more if heading.number else levels[_cluster_of(heading, clusters)], _DEEPEST)
        for heading in headings
    ]


Cluster = tuple[float, bool]  # largest size of type in points, whether it is bold


def _clusters(headings: Sequence[Heading], same: float) -> list[Cluster]:
    """Groups of headings of about one size and of one weight, the highest first."""
    found: list[Cluster] = []
    for weight in (True, False):
        largest = before = 0.0
        for size in sorted({h.size for h in headings if h.size and bool(h.is_bold) is weight}, reverse=True):
            if not largest or before > same * size or largest > same**_SPREAD * size:
                found.append((size, weight))
                largest = size
            before = size
    return sorted(found, reverse=True)


def _cluster_of(heading: Heading, clusters: Sequence[Cluster]) -> Cluster:
    """The cluster with the smallest size that is not below that of the heading."""
    fitting = [c for c in clusters if c[1] is bool(heading.is_bold) and c[0] >= (heading.size or 0)]
    return min(fitting)


def _level(rank: int, cluster: Cluster, numbered: dict[int, float], more: int, near: float) -> int:
    """The level of a cluster: that of numbered headings of its size, or its rank where there are none."""
    if not numbered or cluster[0] > near * numbered[min(numbered)]:
        return rank
    nearest = min(numbered, key=lambda depth: (abs(numbered[depth] - cluster[0]), depth))
    if max(numbered[nearest], cluster[0]) <= near * min(numbered[nearest], cluster[0]):
        return nearest + more
    above = [depth for depth, size in numbered.items() if size > cluster[0]]
    return max(above, default=0) + 1 + more
