"""The live feed: the newest events of all runs, under the ids that they have in the logs.

It is a stream that is trimmed (`store.stream`). Large data is not in it: `reference_bytes` knows such an
event, and its log has it whole.
"""

from __future__ import annotations

from engine.events.codec import decode_entry
from engine.events.types import Event

from .connection import Store
from .stream import Stream


class Feed(Stream[Event]):
    """The live feed of one store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, store.keys.events, decode_entry)


def reference_bytes(event: Event) -> int | None:
    """The size of an event's data where the feed has only that; the event of the log has the data."""
    if event.data.keys() - {"to"} != {"ref"}:
        return None
    size = event.data["ref"]
    return size if isinstance(size, int) else None
