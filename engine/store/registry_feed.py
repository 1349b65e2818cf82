"""The stream of the registry: which versions came into force, and which saves were refused.

It keeps the newest 1,000 events, and is a stream that is trimmed (`store.stream`). What they say is
`control.announce`'s.
"""

from __future__ import annotations

from engine.events.codec import decode_registry_entry
from engine.events.types import RegistryEvent

from .connection import Store
from .stream import Stream


class RegistryFeed(Stream[RegistryEvent]):
    """The stream of the registry of one store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, store.keys.registry, decode_registry_entry)


def announce(store: Store, *, token: str, kind: str, data: bytes) -> None:
    """Add an event to it, once a token.

    Args:
        store: Where.
        token: A new id, which a second copy of the call has too.
        kind: Type of the event.
        data: What it says, a JSON object.

    Raises:
        StoreError: The store cannot be reached.
    """
    store.call("announce", token, kind, data)
