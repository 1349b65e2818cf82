"""Time as columns: a scale that leaves out long pauses; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

#: Columns that a pause takes which was cut out.
CUT_COLUMNS: Final = 2

#: Shorter pauses are never cut, and no more than so many are.
_SHORTEST_CUT_MS: Final = 1_000
_MOST_CUTS: Final = 5


class Stretch(NamedTuple):
    """A stretch of time, in ms since the epoch."""

    from_ms: int
    until_ms: int

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.until_ms - self.from_ms


class Scale:
    """Where on a line of so many columns a time is.

    Attributes:
        cuts: The pauses that were left out, in order.
        columns: Columns of the line.
    """

    def __init__(self, whole: Stretch, busy: Iterable[Stretch], *, columns: int) -> None:
        """Choose what to leave out: a pause that would take more than half of the line.

        Args:
            whole: What the line shows.
            busy: When something ran.
            columns: Columns of the line, 20 or more.
        """
        self.cuts = _cuts(whole, pauses(whole, busy))
        self.columns = columns
        self._whole = whole
        self._shown_ms = max(1, whole.length_ms - sum(cut.length_ms for cut in self.cuts))
        self._shown_columns = columns - CUT_COLUMNS * len(self.cuts)

    def column(self, at_ms: int) -> int:
        """The column of a time; what lies outside is at the edge."""
        at_ms = min(max(at_ms, self._whole.from_ms), self._whole.until_ms)
        before = [cut for cut in self.cuts if cut.until_ms <= at_ms]
        gone_ms = at_ms - self._whole.from_ms - sum(cut.length_ms for cut in before)
        column = CUT_COLUMNS * len(before)
        inside = next((cut for cut in self.cuts if cut.from_ms < at_ms < cut.until_ms), None)
        if inside is not None:
            gone_ms -= at_ms - inside.from_ms
        column += gone_ms * self._shown_columns // self._shown_ms
        return int(min(column, self.columns - 1))

    def cut_columns(self) -> list[int]:
        """The columns that stand for what was left out."""
        found: list[int] = []
        for cut in self.cuts:
            first = min(self.column(cut.from_ms), self.columns - CUT_COLUMNS)
            found += range(first, first + CUT_COLUMNS)
        return found


def pauses(whole: Stretch, busy: Iterable[Stretch]) -> list[Stretch]:
    """When nothing ran, in order."""
    found = []
    until_ms = whole.from_ms
    for stretch in sorted(busy):
        if stretch.from_ms > until_ms:
            found.append(Stretch(until_ms, stretch.from_ms))
        until_ms = max(until_ms, stretch.until_ms)
    if whole.until_ms > until_ms:
        found.append(Stretch(until_ms, whole.until_ms))
    return found


def _cuts(whole: Stretch, candidates: Sequence[Stretch]) -> list[Stretch]:
    shown_ms = whole.length_ms
    chosen: list[Stretch] = []
    for pause in sorted(candidates, key=lambda one: -one.length_ms)[:_MOST_CUTS]:
        is_long = pause.length_ms >= _SHORTEST_CUT_MS and 2 * pause.length_ms > shown_ms
        if not is_long or pause.length_ms == shown_ms:
            break
        shown_ms -= pause.length_ms
        chosen.append(pause)
    return sorted(chosen)
