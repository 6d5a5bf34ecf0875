"""The nightly work on one model directory: audit, prune, report."""

import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ocrqueue.models.files.atomic import write_whole
from ocrqueue.models.pruning.audit import Audit, Needed
from ocrqueue.models.pruning.prune import Pruning
from ocrqueue.models.store import ModelStore
from ocrqueue.models.tables import audit_table, named, prune_lines, pruned_line

log = logging.getLogger(__name__)
VERIFY_AFTER = 6.5 * 86_400  # seconds; 6.5 days, so that a run some minutes early still counts as weekly
VERIFY_SECONDS = 1200.0  # seconds a night in which a worker child reads files in full; the next night continues
LATEST = "latest"  # name of the link to the newest report


@dataclass(frozen=True, slots=True)
class Night:
    """The outcome of one night."""

    audit: Audit
    pruning: Pruning
    report: Path  # folder of the report

    def summary(self) -> dict[str, Any]:
        """The result of the task, as a JSON object: counts, the names of pruned models, and at most 20 problems."""
        problems = {named(model): model.problems[0] for model in self.audit.models if model.problems}
        return {
            "directory": self.audit.directory,
            "models": len(self.audit.models),
            "by_status": self.audit.by_status,
            "size": self.audit.size,
            "pruned": [named(model) for model in self.pruning.moved],
            "dry_run": self.pruning.dry_run,
            "left": [named(model) for model in self.pruning.models if not model.moved],
            "freed": self.pruning.freed,
            "over": self.pruning.over,
            "emptied": len(self.pruning.emptied),
            "problems": dict(list(problems.items())[:20]),
            "report": str(self.report),
        }


def run_night(store: ModelStore, needed: Needed, reports: Path) -> Night:
    """Audit the directory, read files that are due in full, prune, and write the report.

    With OCR_PRUNE=report the prune is a dry run. Each selected model is logged. `reports`: the folder for reports.
    Raises ModelDirectoryError, and OSError if the report cannot be written.
    """
    audit = store.audit(needed, VERIFY_AFTER, VERIFY_SECONDS)
    pruning = store.prune(store.settings.prune == "report", needed)
    for model in pruning.models:
        log.info("%s", pruned_line(model, pruning.dry_run))
    return Night(audit, pruning, write_report(reports, audit, pruning))


def write_report(reports: Path, audit: Audit, pruning: Pruning) -> Path:
    """Write `<reports>/<time>/models.json` and `models.txt`, and point the link `<reports>/latest` to them.

    Returns the new folder. Raises OSError.
    """
    folder = _new_folder(reports, f"{datetime.fromtimestamp(audit.when).astimezone():%Y-%m-%dT%H%M%S}")
    about = {
        **audit.to_json(),
        "prune": {
            "dry_run": pruning.dry_run,
            "models": [model.to_json() for model in pruning.models],
            "emptied": list(pruning.emptied),
            "freed": pruning.freed,
            "over": pruning.over,
        },
    }
    lines = [*audit_table(audit), "", *prune_lines(pruning)]
    write_whole(folder / "models.json", json.dumps(about, indent=1).encode())
    write_whole(folder / "models.txt", "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    link = reports / f".{LATEST}-{os.getpid()}"
    with suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(folder.name)
    link.replace(reports / LATEST)
    return folder


def last_audit(reports: Path, directory: str) -> str | None:
    """When the newest report on a model directory was made, in ISO 8601, UTC; None if there is none."""
    for folder in sorted(reports.iterdir(), reverse=True) if reports.is_dir() else ():
        with suppress(OSError, ValueError, KeyError):
            about = json.loads((folder / "models.json").read_text(encoding="utf-8"))
            if folder.name != LATEST and about["directory"] == directory:
                return str(about["when"])
    return None


def _new_folder(reports: Path, name: str) -> Path:
    reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(1000):
        folder = reports / (f"{name}-{number}" if number else name)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise FileExistsError(f"{reports} has a thousand reports of {name}: remove some")
