"""Models, audits and prunes as lines for people."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ocrqueue.models.files.catalogue import Kind
from ocrqueue.models.pruning.audit import Audit, LocalModel
from ocrqueue.models.pruning.prune import Pruned, Pruning

_HEADER = ("NAME", "KIND", "REVISION", "SIZE", "FILES", "LAST USED", "STATUS")
_TO_THE_RIGHT = ("SIZE", "FILES")


def model_table(models: Iterable[LocalModel]) -> list[str]:
    """A table with a line for each model, and below each what is wrong with it."""
    models = list(models)
    rows = [_HEADER, *(_row(model) for model in models)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = [_line(_HEADER, widths)]
    for model, row in zip(models, rows[1:], strict=True):
        lines.append(_line(row, widths))
        lines += [f"    {plain(problem)}" for problem in model.problems]
    return lines


def audit_table(audit: Audit) -> Iterator[str]:
    """The models, then the directory as a whole."""
    if audit.models:
        yield from model_table(audit.models)
        yield ""
    counts = ", ".join(f"{count} {status}" for status, count in audit.by_status.items()) or "no models"
    limit = f" of {size(audit.max_size)} allowed" if audit.max_size is not None else ""
    yield f"{plain(audit.directory)}: {counts}; {size(audit.size)}{limit}, {size(audit.trash)} in the trash"
    prunable = [model for model in audit.models if model.prunable]
    for model in prunable:
        yield f"a prune moves {named(model)}: {model.reason}"
    for name in audit.unknown:
        yield f"not a model, and never touched: {plain(name)}"


def prune_lines(done: Pruning) -> Iterator[str]:
    """What was moved, what stays though it was to go, what was deleted."""
    for model in done.models:
        yield pruned_line(model, done.dry_run)
    for entry in done.emptied:
        yield f"{'would delete' if done.dry_run else 'deleted'} {entry} from the trash"
    verb = "would be moved" if done.dry_run else "moved"
    yield f"{len(done.moved)} models {verb} to the trash, {size(done.freed)} less"
    if done.over:
        yield f"{size(done.over)} over OCR_MODEL_DIR_MAX_GB remain: what is left is in use, kept, foreign or no model"


def pruned_line(model: Pruned, dry_run: bool = False) -> str:
    """What became of one model."""
    about = f"{named(model)}, {size(model.size)} ({model.status}: {model.reason})"
    if not model.moved:
        return f"left {about}: {model.why_not}"
    return f"{'would move' if dry_run else 'moved'} {about}"


def named(model: LocalModel | Pruned) -> str:
    """A model's name and revision, short."""
    return f"{plain(model.name)}@{model.revision[:12]}"


def plain(text: str) -> str:
    """A text on one line: control characters, and bytes that are no text, are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def size(count: int | None) -> str:
    """Bytes as people read them."""
    number = float(count or 0)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def _row(model: LocalModel) -> tuple[str, ...]:
    revision = model.revision[:12] if model.kind == Kind.CACHE else "-"
    used = f"{datetime.fromtimestamp(model.last_used).astimezone():%Y-%m-%d %H:%M}" if model.last_used else "never"
    return plain(model.name), model.kind, revision, size(model.size), str(model.files), used, model.status


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if title in _TO_THE_RIGHT else cell.ljust(width)
        for title, cell, width in zip(_HEADER, row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()
