"""What the committer has to tell the store about attempts, and the calls that tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from engine.execution.attempt import Attempt
from engine.execution.settlement import Settlement
from engine.store import ledger
from engine.store.connection import Call

#: Events that go with one call, at most: a script that wrote more would hold the server up.
EVENTS_A_CALL: Final = 200

#: Bytes of emissions that are staged with one pipeline, about.
STAGE_BYTES: Final = 4 * 1024 * 1024

#: Bytes from which an item counts as large. Smaller ones are bounded by the room for jobs.
LARGE_BYTES: Final = 64 * 1024


class Kind(Enum):
    """What an item tells: how an attempt is settled, what it has logged, or parts of a wide fan-out."""

    SETTLE = "settle"
    REPORT = "report"
    STAGE = "stage"
    UNFOLD = "unfold"


@dataclass(slots=True, eq=False)
class Item:
    """Something to tell the store about an attempt.

    Attributes:
        attempt: The attempt.
        content: What to tell.
        kind: What that is.
        whole: The settlement that emissions are staged for, in the last part of those that are sent at once.
        is_fallback: Whether it stands in for a refused item.
        staged: How many of its emissions are staged.
        cursor: How many of them are laid out.
        sent_events: Number of the attempt's events that the last call covered.
        first_sent_at_ms: Monotonic time at which it was first sent.
        sent_at_ms: Monotonic time at which it was last sent.
    """

    attempt: Attempt
    content: Settlement
    kind: Kind = Kind.SETTLE
    whole: Item | None = None
    is_fallback: bool = False
    staged: int = 0
    cursor: int = 0
    sent_events: int = 0
    first_sent_at_ms: float = 0.0
    sent_at_ms: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of the user's data that are sent with it, about."""
        return 0 if self.kind is Kind.UNFOLD else self.content.size

    def note_answer(self, word: bytes, answer: Any) -> bool:
        """Note what the store has, from its answer; answers whether it wants to be told more."""
        match word:
            case b"GAP":
                self.attempt.acked = answer[1]
            case b"UNSTAGED":
                self.staged = answer[1]
            case b"MORE" | b"DUP" if self.kind is Kind.UNFOLD:
                self.cursor = answer[1]
            case b"OK" if self.kind is Kind.REPORT:
                self.attempt.acked = max(self.attempt.acked, self.sent_events)
                return False
            case _:
                return False
        return True


def report_item(attempt: Attempt) -> Item:
    """An item that reports the events that are unsent when it is sent."""
    report = Settlement(lambda first, events: ledger.report(attempt.job, first=first, events=events))
    return Item(attempt, report, Kind.REPORT)


def calls_of(item: Item) -> Iterator[tuple[Item, Call]]:
    """The calls that tell an item now, each with the item that its answer is for.

    A wide fan-out takes several rounds: what has to be staged first, then the settlement, then
    part by part what is to be laid out.
    """
    if item.kind is Kind.UNFOLD:
        if item.content.unfold is not None:
            yield item, item.content.unfold(item.cursor)
    elif item.staged < len(item.content.staged):
        yield from _stage(item)
    else:
        yield from _with_events(item)


def _with_events(item: Item) -> Iterator[tuple[Item, Call]]:
    """The call, and before it so many reports of the attempt's events that none holds too many."""
    events, at = item.attempt.events, item.attempt.acked
    end = len(events)
    while end - at > EVENTS_A_CALL:
        part = report_item(item.attempt)
        part.sent_events = at + EVENTS_A_CALL
        yield part, part.content.make_call(at, events[at : part.sent_events])
        at = part.sent_events
    item.sent_events = end
    yield item, item.content.make_call(at, events[at:end])


def _stage(item: Item) -> Iterator[tuple[Item, Call]]:
    """Calls that stage emissions, as many as one pipeline takes."""
    emits, at, sent_bytes = item.content.staged, item.staged, 0
    while at < len(emits) and sent_bytes < STAGE_BYTES:
        end, size = at, 0
        while end < len(emits) and end - at < ledger.EMITS_A_STAGE and size < ledger.EMITS_BYTES:
            size += len(emits[end].payload)
            end += 1
        sent_bytes += size
        part = Item(item.attempt, item.content, Kind.STAGE)
        if end == len(emits) or sent_bytes >= STAGE_BYTES:
            part.whole = item
        yield part, ledger.stage(item.attempt.job, first=at, emits=emits[at:end])
        at = end
