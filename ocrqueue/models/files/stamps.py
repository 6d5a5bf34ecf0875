"""Stamps: when OCR Queue pulled, loaded and restored a model. A model without a stamp belongs to another tool."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ocrqueue.models.files.atomic import is_time, read_json, write_json
from ocrqueue.models.files.paths import DirectoryPaths


@dataclass(frozen=True, slots=True)
class Stamp:
    """When OCR Queue last did something with a model, in seconds since 1970. None: never."""

    pulled: float | None = None  # downloaded from the hub
    used: float | None = None  # loaded, or found loaded by an audit
    restored: float | None = None  # moved back from the trash

    @property
    def ours(self) -> bool:
        """Whether OCR Queue pulled or loaded the model."""
        return self.pulled is not None or self.used is not None

    @property
    def last(self) -> float | None:
        """The latest of the three times; None if there is none."""
        return max((t for t in (self.pulled, self.used, self.restored) if t is not None), default=None)

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> "Stamp":
        """Read a stamp from a JSON object. Values that are not times become None."""
        known = {k: record.get(k) for k in ("pulled", "used", "restored")}
        return cls(**{k: float(v) for k, v in known.items() if v is not None and is_time(v)})


def read_stamp(paths: DirectoryPaths, key: str) -> Stamp:
    """The stamp of the model with this key; empty if there is none."""
    return Stamp.parse(read_json(paths.stamp_file(key)) or {})


def write_stamp(paths: DirectoryPaths, key: str, **times: float) -> None:
    """Set the given times in a model's stamp and keep the others. Raises OSError."""
    stamp = replace(read_stamp(paths, key), **times)
    write_json(paths.stamp_file(key), {"model": key, **asdict(stamp)})
