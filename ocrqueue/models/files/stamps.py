"""Stamps: when we pulled and when we loaded a model. A model without one is not ours."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ocrqueue.models.files.atomic import read_json, write_json
from ocrqueue.models.files.paths import DirectoryPaths


@dataclass(frozen=True, slots=True)
class Stamp:
    """What we did with a model; times in seconds since 1970."""

    pulled: float | None = None
    used: float | None = None  # last seen loaded
    restored: float | None = None  # brought back from the trash

    @property
    def ours(self) -> bool:
        """Whether we pulled it or ever loaded it."""
        return self.pulled is not None or self.used is not None

    @property
    def last(self) -> float | None:
        """When it was last of any use."""
        return max((t for t in (self.pulled, self.used, self.restored) if t is not None), default=None)

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> "Stamp":
        """From JSON; what is no time is left out."""
        known = {k: record.get(k) for k in ("pulled", "used", "restored")}
        return cls(**{k: float(v) for k, v in known.items() if isinstance(v, int | float)})


def read_stamp(paths: DirectoryPaths, key: str) -> Stamp:
    """The stamp of a model."""
    return Stamp.parse(read_json(paths.stamp_file(key)) or {})


def write_stamp(paths: DirectoryPaths, key: str, **times: float) -> None:
    """Set times of a model's stamp. Raises OSError."""
    stamp = replace(read_stamp(paths, key), **times)
    write_json(paths.stamp_file(key), {"model": key, **asdict(stamp)})
