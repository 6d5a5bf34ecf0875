"""Models, audits and prunes as lines of text."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from ocrqueue.models.files.catalogue import Kind
from ocrqueue.models.pruning.audit import Audit, LocalModel
from ocrqueue.models.pruning.prune import Pruned, Pruning

_HEADER = ("NAME", "KIND", "REVISION", "SIZE", "FILES", "LAST USED", "STATUS")
_NUMBERS = (_HEADER.index("SIZE"), _HEADER.index("FILES"))


def model_table(models: Iterable[LocalModel]) -> list[str]:
    """A table with one line for each model, followed by a line for each of its problems."""
    models = list(models)
    header, *rows = aligned([_HEADER, *(_row(model) for model in models)], _NUMBERS)
    lines = [header]
    for model, row in zip(models, rows, strict=True):
        lines += [row, *(f"    {plain(problem)}" for problem in model.problems)]
    return lines


def aligned(rows: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> list[str]:
    """Each row as a line, with aligned columns. `numbers`: indexes of the columns that are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index in numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def audit_table(audit: Audit) -> Iterator[str]:
    """The table of models, then lines about the whole directory."""
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
        yield f"not a model, never changed: {plain(name)}"


def prune_lines(done: Pruning) -> Iterator[str]:
    """Lines about the models that a prune moved or could not move, and the entries that it deleted."""
    for model in done.models:
        yield pruned_line(model, done.dry_run)
    for entry in done.emptied:
        yield f"{'would delete' if done.dry_run else 'deleted'} {entry} from the trash"
    verb = "would be moved" if done.dry_run else "moved"
    yield f"{len(done.moved)} models {verb} to the trash, {size(done.freed)} less in the directory"
    if done.over:
        yield f"{size(done.over)} over OCR_MODEL_DIR_MAX_GB remain: the rest is in use, kept, foreign or not a model"


def pruned_line(model: Pruned, dry_run: bool = False) -> str:
    """The outcome of a prune for one model."""
    about = f"{named(model)}, {size(model.size)} ({model.status}: {model.reason})"
    if not model.moved:
        return f"not moved: {about}: {model.why_not}"
    return f"{'would move' if dry_run else 'moved'} {about}"


def named(model: LocalModel | Pruned) -> str:
    """The name of a model and the first 12 characters of its revision."""
    return f"{plain(model.name)}@{plain(model.revision[:12])}"


def plain(text: str) -> str:
    """The text on one line. Control characters and invalid bytes are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def size(count: int | None) -> str:
    """A number of bytes with its unit, such as "12 MB"; 1 MB is 1,000,000 bytes."""
    number = float(count or 0)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def _row(model: LocalModel) -> tuple[str, ...]:
    revision = plain(model.revision[:12]) if model.kind == Kind.CACHE else "-"
    used = f"{datetime.fromtimestamp(model.last_used).astimezone():%Y-%m-%d %H:%M}" if model.last_used else "never"
    return plain(model.name), model.kind, revision, size(model.size), str(model.files), used, model.status
