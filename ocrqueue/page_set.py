"""A set of page numbers that is written as ranges, such as `1-57,60`."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

_TEXT = re.compile(r"(?:\d{1,7}(?:-\d{1,7})?(?:,\d{1,7}(?:-\d{1,7})?)*)?")


class PageSet:
    """Page numbers. Adding, finding and writing them takes time for the number of ranges, not of pages."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._firsts: list[int] = []  # of the ranges, ascending; no two ranges touch
        self._lasts: list[int] = []
        for number in numbers:
            self.add(number)

    @classmethod
    def parse(cls, text: str) -> "PageSet":
        """The set that `str` has written. Raises ValueError for any other text."""
        found = cls()
        if not _TEXT.fullmatch(text):
            raise ValueError("not ranges of page numbers")
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            found._append(int(first), int(last or first))
        follows = zip(found._firsts[1:], found._lasts, strict=False)
        if not all(first > last + 1 for first, last in follows) or str(found) != text:
            raise ValueError("ranges of page numbers that are not ascending")
        if any(first > last for first, last in zip(found._firsts, found._lasts, strict=True)):
            raise ValueError("a range of page numbers ends before it begins")
        return found

    def __str__(self) -> str:
        pairs = zip(self._firsts, self._lasts, strict=True)
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield from range(first, last + 1)

    def without(self, other: "PageSet") -> "PageSet":
        """The numbers that are not in another set. Takes time for the number of ranges, too."""
        found, at = PageSet(), 0
        for first, last in zip(self._firsts, self._lasts, strict=True):
            start = first
            while at < len(other._firsts) and other._firsts[at] <= last:
                if other._firsts[at] > start:
                    found._append(start, other._firsts[at] - 1)
                start = max(start, other._lasts[at] + 1)
                if other._lasts[at] > last:  # it reaches into the next range
                    break
                at += 1
            if start <= last:
                found._append(start, last)
        return found

    def _append(self, first: int, last: int) -> None:
        self._firsts.append(first)
        self._lasts.append(last)

    def add(self, number: int) -> None:
        """Add a page number."""
        if number in self:
            return
        at = bisect_right(self._firsts, number)
        joins_before = at > 0 and self._lasts[at - 1] == number - 1
        joins_after = at < len(self._firsts) and self._firsts[at] == number + 1
        if joins_before and joins_after:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif joins_before:
            self._lasts[at - 1] = number
        elif joins_after:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)
