"""Redis's clock in the hands of a test: leases end and jobs fall due when the test says so."""

from __future__ import annotations

import hashlib

from engine.store.connection import Store
from engine.store.script import Script

_TIME = "redis.call('TIME')"


class Clock:
    """The clock that the scripts of a store read instead of Redis's own.

    Everything else in them is as it is; Redis still gives the ids of events by its own clock, which decide
    nothing.

    Attributes:
        now_ms: What it says, in milliseconds since the epoch.
    """

    def __init__(self, store: Store, *, now_ms: int) -> None:
        self._store = store
        self._key = f"{store.keys.prefix}:clock"
        self._micros = 0
        self.now_ms = self._latest_ms = now_ms
        for name, script in store.scripts.items():
            text = script.text.replace(_TIME, "redis.call('HMGET', KEYS[1] .. ':clock', 's', 'us')")
            sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            store.scripts[name] = Script(name, text, sha)
        self.pass_by(0)

    def pass_by(self, ms: int) -> None:
        """Move it; backwards too."""
        self.now_ms += ms
        self._latest_ms = max(self._latest_ms, self.now_ms)
        # A part of a millisecond decides where chance does: which queue is asked first.
        self._micros = (self._micros + 7) % 1000
        with self._store.talking() as client:
            seconds, millis = divmod(self.now_ms, 1000)
            client.hset(self._key, mapping={"s": seconds, "us": 1000 * millis + self._micros})
            client.pexpire(self._key, 3_600_000)

    def catch_up(self) -> None:
        """Move it to the latest time that it has ever said."""
        self.pass_by(self._latest_ms - self.now_ms)
