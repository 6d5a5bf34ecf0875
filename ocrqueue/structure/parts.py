"""Parts of a page while its blocks are made: which lines belong to which region of the models."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import Rect, area, intersection, union
from ocrqueue.structure.models import Region
from ocrqueue.structure.texts import Text

KINDS = {
    "title": BlockKind.TITLE,
    "section-header": BlockKind.HEADING,
    "list-item": BlockKind.LIST_ITEM,
    "table": BlockKind.TABLE,
    "caption": BlockKind.CAPTION,
    "footnote": BlockKind.FOOTNOTE,
    "page-header": BlockKind.PAGE_HEADER,
    "page-footer": BlockKind.PAGE_FOOTER,
    "picture": BlockKind.PICTURE,
    "formula": BlockKind.FORMULA,
}
_LEAST = 0.3  # share of a line's area: less of it in a region does not make it a line of the region
_NEAR = 0.9  # times the size of type: white between two lines of one paragraph, at most
_OTHER_SIZE = 1.25  # ratio of the sizes of two lines of one paragraph, at most
_BACKGROUND = 0.5  # share of the page's characters: a picture with more of them is a background, not a picture


@dataclass(slots=True)
class Part:
    """What becomes a block."""

    kind: BlockKind
    texts: list[Text]
    box: Rect
    region: Region | None = None
    marker: str | None = None
    marker_left: float = 0.0  # of a list item: where its marker begins, in points
    depth: int | None = None

    @property
    def first(self) -> int:
        """The index of its first line; a part without lines has none and comes last."""
        return min((text.index for text in self.texts), default=1 << 30)

    @property
    def size(self) -> float:
        """The type size of most of its characters, in points."""
        return median(text.size for text in self.texts for _ in text.text) if self.texts else 0.0


def parts_of(texts: Sequence[Text], regions: Sequence[Region]) -> list[Part]:
    """The regions with their lines; lines outside of all regions are paragraphs of their own. No line is left out."""
    owned: dict[int, list[Text]] = {}
    alone: list[Text] = []
    usable = _without_backgrounds(texts, regions)
    for text in texts:
        best = _region_of(text, usable)
        if best is None:
            alone.append(text)
        else:
            owned.setdefault(best, []).append(text)
    parts = [
        Part(KINDS.get(region.kind, BlockKind.PARAGRAPH), owned.get(i, []), _box(region, owned.get(i, [])), region)
        for i, region in enumerate(usable)
        if i in owned or region.kind == "picture"
    ]
    return parts + [Part(BlockKind.PARAGRAPH, group, union(t.box for t in group)) for group in _paragraphs(alone)]


def _region_of(text: Text, regions: Sequence[Region]) -> int | None:
    """The index of the region that a line belongs to: by the lines of the region, else by its box."""
    least = _LEAST * max(area(text.box), 1e-6)
    for boxes_of in (lambda region: region.members, lambda region: (region.box,)):
        shares = [sum(area(intersection(text.box, box)) for box in boxes_of(region)) for region in regions]
        best = max(range(len(regions)), key=lambda i: (shares[i], -area(regions[i].box)), default=None)
        if best is not None and shares[best] >= least:
            return best
    return None


def _without_backgrounds(texts: Sequence[Text], regions: Sequence[Region]) -> list[Region]:
    """The regions without pictures behind most of the text, such as the photograph of a receipt."""
    total = sum(len(text.text) for text in texts)
    kept = []
    for region in regions:
        if region.kind == "picture":
            inside = [text for text in texts if area(intersection(text.box, region.box)) > area(text.box) / 2]
            if sum(len(text.text) for text in inside) > _BACKGROUND * total:
                continue
        kept.append(region)
    return kept


def _box(region: Region, texts: Sequence[Text]) -> Rect:
    """The box of a region and its lines."""
    return union([region.box, *(text.box for text in texts)]) if texts else region.box


def _paragraphs(texts: Sequence[Text]) -> list[list[Text]]:
    """Lines that follow each other closely, in one size, as paragraphs."""
    groups: list[list[Text]] = []
    for text in texts:
        if groups and _follows(groups[-1][-1], text):
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups


def _follows(before: Text, text: Text) -> bool:
    """Whether a line is the next line of the same paragraph."""
    size = min(before.size, text.size)
    shared = min(before.box[2], text.box[2]) - max(before.box[0], text.box[0])
    gap = text.box[1] - before.box[3]
    return (
        text.index == before.index + 1
        and shared > 0
        and -size < gap < _NEAR * size
        and max(before.size, text.size) < _OTHER_SIZE * size
    )
