"""Reading a sorted set in parts. A cursor says where to go on, also if members were added or removed meanwhile."""

import base64
import binascii
import math
from dataclasses import dataclass
from typing import cast

from redis import Redis

from ocrqueue.errors import InvalidOptions


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last member that was returned."""

    score: float
    member: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.score!r} {self.member}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that `str` has written. Raises InvalidOptions for any other text."""
        try:
            score, _, member = (
                base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode().partition(" ")
            )
            found = cls(float(score), member)
        except (ValueError, binascii.Error):
            found = None
        if found is None or not math.isfinite(found.score) or not found.member:
            raise InvalidOptions(f"{text[:80]!r} is no cursor: use a `next_cursor` as it was given, or leave it out")
        return found


def members_after(
    redis: Redis, key: str, cursor: Cursor | None, count: int, newest_first: bool,
    lowest: float = -math.inf, highest: float = math.inf,
) -> list[Cursor]:  # fmt: skip
    """At most `count` members of a sorted set after a cursor, with scores from `lowest` to `highest`."""
    if cursor and newest_first:
        highest = min(highest, cursor.score)
    elif cursor:
        lowest = max(lowest, cursor.score)
    found: list[Cursor] = []
    offset = 0
    while len(found) < count:
        ends = (highest, lowest) if newest_first else (lowest, highest)
        part = cast(
            "list[tuple[str, float]]",
            redis.zrange(key, *ends, desc=newest_first, byscore=True, offset=offset, num=count, withscores=True),
        )
        found += [Cursor(score, member) for member, score in part if _is_after(cursor, score, member, newest_first)]
        offset += count
        if len(part) < count:
            break
    return found[:count]


def _is_after(cursor: Cursor | None, score: float, member: str, newest_first: bool) -> bool:
    """Whether a member comes after the cursor. Redis orders members with the same score by their bytes."""
    if cursor is None or score != cursor.score:
        return True
    one, other = member.encode(), cursor.member.encode()
    return one < other if newest_first else one > other
