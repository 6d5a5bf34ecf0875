"""The layout models that come with PyMuPDF 2: which parts of a page are headings, list items, tables and so on.

They classify the lines of text of a page, by the text, the drawings and the image of the page.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, wraps
from importlib.util import find_spec
from inspect import unwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ocrqueue.errors import PageFailure
from ocrqueue.geometry import Rect, mirrored
from ocrqueue.structure.fonts import freeing_fonts

_NEEDED = ("networkx", "numpy", "onnxruntime", "pymupdf", "yaml")
PAIRS = "pairs"  # kind of a region that the models do not know: a table of two columns without header
# Pieces of text, such as the cells of a table, with which the layout models look at a page. They compare all with one
# another: 225 take 0.3 GB and 1 s, 900 0.4 GB and 8 s, 1,760 0.6 GB, 10,000 4.2 GB and two minutes.
MOST = 1500
_lock = threading.Lock()  # the models and `find_tables` use state of the process


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the page that is one thing. All coordinates are in points of the page."""

    kind: str  # as the models call it: text, title, picture, table, list-item, page-header, ...
    box: Rect
    members: tuple[Rect, ...] = ()  # the lines of text of which it consists, as the models saw them
    rows: tuple[float, ...] = ()  # heights of the lines between the rows of a table; empty: its grid was not recognised
    columns: tuple[float, ...] = ()  # the same between its columns

    def mirrored(self, width: float) -> "Region":
        """The region of a page of this width, seen in a mirror."""
        members = tuple(mirrored(member, width) for member in self.members)
        columns = tuple(width - x for x in reversed(self.columns))
        return replace(self, box=mirrored(self.box, width), members=members, columns=columns)


@dataclass(frozen=True, slots=True)
class Slot:
    """A cell of a table's grid, without its text."""

    row: int
    column: int
    row_span: int
    column_span: int
    box: Rect
    is_header: bool


def mirrored_table(slots: Iterable[Slot], width: float) -> list[Slot]:
    """The cells of a table of a page of this width, seen in a mirror: its last column is the first."""
    slots = list(slots)
    end = max((slot.column + slot.column_span for slot in slots), default=0)
    return [replace(slot, column=end - slot.column - slot.column_span, box=mirrored(slot.box, width)) for slot in slots]


def has_models() -> bool:
    """Whether the layout models and what they need are installed. Imports nothing."""
    if any(find_spec(name) is None for name in _NEEDED):
        return False
    spec = find_spec("pymupdf")
    folders = spec.submodule_search_locations if spec else None
    return any((Path(folder) / "layout" / "resources").is_dir() for folder in folders or ())


def regions_of(page: Any) -> list[Region]:
    """The regions of a page of PyMuPDF that is not rotated. Raises what the models raise."""
    with _lock:
        model = _model()
        page.layout_information = model.predict(page, return_raw=True)
        _forget_page(model._model.feature_extractor)
    return [_region(group) for group in page.layout_information or ()]


def tables_of(page: Any) -> list[list[Slot]]:
    """The cells of each table of a page, by its ruled lines and by the models. Call `regions_of` with the page first.

    An error gives no tables: `find_tables` catches all exceptions and returns None.
    """
    with _lock:
        found = page.find_tables(use_layout=True, union=True, refine=True)
    return [_slots(table.placements) for table in found.tables if table.placements] if found else []


def shapes_on(page: Any) -> list[Rect]:
    """The boxes of the paths that a page of PyMuPDF paints."""
    return [tuple(box) for kind, box in page.get_bboxlog() if kind in ("fill-path", "stroke-path")]


@cache
def _model() -> Any:
    """The models, loaded once in a process. They run on one thread: children of a worker share the cores."""
    from ocrqueue.documents.pdf.mupdf import pymupdf

    pymupdf._get_layout = pymupdf.Page.get_layout  # else the import below makes a model of its own
    from pymupdf.layout import DocumentLayoutAnalyzer
    from pymupdf.layout import pymupdf_util_ext as features
    from pymupdf.layout.onnx import common_util as sessions

    runtime = sessions.ort
    sessions.ort = SimpleNamespace(InferenceSession=runtime.InferenceSession, SessionOptions=_one_thread(runtime))
    try:
        model = DocumentLayoutAnalyzer.get_model()
    finally:
        sessions.ort = runtime
    pymupdf._get_layout = model.predict
    features.extract_rf_features = _bounded(freeing_fonts(unwrap(features.extract_rf_features)))
    return model


def free_models() -> None:
    """Let go of the models, which take 60 MB and more; the next page loads them again. For an idle process."""
    if _model.cache_info().currsize:
        from ocrqueue.documents.pdf.mupdf import pymupdf

        pymupdf._get_layout = None
        _model.cache_clear()


def _bounded(measure: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """The models' first step that compares lines with one another, which refuses pages with more lines than `MOST`."""

    @wraps(measure)
    def measure_few(data: Any, text_page: Any) -> None:
        if len(data["bboxes"]) > MOST:
            raise PageFailure(
                f"the page has {len(data['bboxes']):,} pieces of text, and the layout models take {MOST:,}"
            )
        measure(data, text_page)

    return measure_few


def _forget_page(extractor: Any) -> None:
    """Remove what the models computed of the image of a page: 60 MB, which they would keep until the next page."""
    for name, value in vars(extractor).items():
        if hasattr(value, "nbytes"):
            setattr(extractor, name, None)


def _one_thread(runtime: Any) -> Any:
    """A maker of options for sessions of ONNX Runtime that start no threads."""

    def options() -> Any:
        made = runtime.SessionOptions()
        made.intra_op_num_threads = made.inter_op_num_threads = 1
        return made

    return options


def _region(group: dict[str, Any]) -> Region:
    left, top, right, bottom = (float(v) for v in group["group_bbox"][:4])
    members = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in group.get("bboxes", ()))
    grid = group.get("table_grid")
    if grid is None:
        return Region(group["class_name"], (left, top, right, bottom), members)
    rows = tuple(sorted(top + float(y) for y in grid.h_lines))
    columns = tuple(sorted(left + float(x) for x in grid.v_lines))
    return Region(group["class_name"], (left, top, right, bottom), members, rows, columns)


def _slots(placements: Iterable[Iterable[Any]]) -> list[Slot]:
    """The cells of a table of PyMuPDF. A row lists the cells that begin in it, each with the places it covers."""
    slots: list[Slot] = []
    taken: set[tuple[int, int]] = set()
    for row, cells in enumerate(placements):
        column = 0
        for cell in cells:
            while (row, column) in taken:
                column += 1
            down, across = max(int(cell.rowspan), 1), max(int(cell.colspan), 1)
            taken.update((row + i, column + j) for i in range(down) for j in range(across))
            left, top, right, bottom = cell.bbox or (0.0, 0.0, 0.0, 0.0)
            box = float(left), float(top), float(right), float(bottom)
            slots.append(Slot(row, column, down, across, box, cell.tag == "th"))
            column += across
    return slots
