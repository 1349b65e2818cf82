"""What handlers read from the store, patiently: a store that is away is no fault of their step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from engine.compile.plan import StepPlan
from engine.errors import PayloadError, StoreUnavailable
from engine.events.codec import decode_json
from engine.store.connection import Store
from engine.store.gather import Gather
from engine.store.log import EventLog, HandlerState
from engine.store.queue import LeasedJob

Read = TypeVar("Read")

#: Seconds between two tries.
_PAUSE_S: Final = 0.1


class Reader:
    """Reads for handlers, and tries again for as long as the worker goes on."""

    def __init__(self, store: Store, *, gather_bytes: int, is_over: threading.Event) -> None:
        """Make ways into the store; nothing is read before a handler asks.

        Args:
            store: Where from.
            gather_bytes: Bytes of what a join or a collect reads.
            is_over: Set once nobody is left to record what the handler does.
        """
        self._state = HandlerState(store)
        self._log = EventLog(store)
        self._gather = Gather(store)
        self._gather_bytes = gather_bytes
        self._is_over = is_over

    def state(self, run_id: str, key: str) -> Any:
        """The committed value of a run's state, or None."""
        return self._patiently(lambda: self._state.get(run_id, key))

    def input(self, run_id: str) -> Any:
        """What a run was started with."""
        return self._patiently(lambda: self._log.input_of(run_id))

    def inputs(self, job: LeasedJob, step: StepPlan) -> bytes:
        """What a step that joins or collects works on, as JSON; the job has its places in the log.

        Raises:
            PayloadError: It is more than may be gathered.
        """
        places, limit_bytes = decode_json(job.message), self._gather_bytes
        try:
            if step.trigger == "all":
                return self._patiently(lambda: self._gather.join(job.run_id, places, limit_bytes=limit_bytes))
            return self._patiently(
                lambda: self._gather.collect(job.run_id, job.event, places, limit_bytes=limit_bytes)
            )
        except PayloadError as error:
            raise PayloadError(f"the input of step `{step.name}` has {error}") from error

    def _patiently(self, read: Callable[[], Read]) -> Read:
        while True:
            try:
                return read()
            except StoreUnavailable:
                if self._is_over.wait(_PAUSE_S):
                    raise
