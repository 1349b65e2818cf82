"""How much of a log is read at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

#: Entries of a first page, and of the largest one.
FIRST: Final = 8
LARGEST: Final = 500

#: Bytes that a page should have.
PAGE_BYTES: Final = 256 * 1024


class PageSize:
    """How many entries the next page should have, by the size of those that came.

    While a page is read the server does nothing else, and how large its entries are is known
    only afterwards: so pages grow step by step, and shrink at once.

    Attributes:
        count: Entries of the next page.
    """

    def __init__(self) -> None:
        self.count = FIRST

    def learn(self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        """Take note of a page as XRANGE and XREAD answer it."""
        if entries:
            size = sum(len(value) for _, fields in entries for value in fields.values())
            self.count = max(1, min(LARGEST, self.count * 2, PAGE_BYTES * len(entries) // max(1, size)))
