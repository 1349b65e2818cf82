"""Following a run until it is over, or until somebody asks to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

from engine.clock import monotonic_ms
from engine.compile.graph import Graph
from engine.compile.plan import Plan
from engine.errors import RunNotFound, StoreUnavailable
from engine.events.fold import RunState, begin
from engine.events.state import RUNNING, WAITING
from engine.events.types import Event, order_of
from engine.store.connection import Store
from engine.store.log import EventLog
from engine.store.workers import Workers

from .interrupt import Interrupts
from .patience import Patience
from .tally import Tally

#: How long one look at the log waits at most; the view is drawn anew after each, or soon after.
TICK_MS: Final = 200

#: How often the log is read until a view can show what it has put off. A server ends reads that
#: block only as often as `hz` says (10 times a second), which would be too late for that.
_SOON_S: Final = 0.01

#: A waiting step that nobody serves is looked for after this long, and again as often.
_FIRST_LOOK_MS: Final = 1_000
_NEXT_LOOK_MS: Final = 5_000


class View(Protocol):
    """How a run is shown while it goes on."""

    def event(self, event: Event) -> None:
        """Take note of one event."""

    def note(self, sentence: str) -> None:
        """Print something that the command itself has to say."""

    def tick(self, run: RunState, tally: Tally) -> float | None:
        """Show the run as it is now.

        Returns:
            In how many milliseconds it can be shown, where it could not be yet.
        """


class Watcher:
    """One run as it goes on.

    Attributes:
        run: The fold of what has been read, None before the first event.
        tally: Its activations, counted.
    """

    def __init__(self, store: Store, run_id: str, view: View) -> None:
        self.run: RunState | None = None
        self.tally = Tally()
        self._run_id = run_id
        self._view = view
        self._log = EventLog(store)
        self._patience = Patience(view.note)
        self._shown = (0, 0)
        self._put_off_ms: float | None = None

    def look(self, *, timeout_ms: int = TICK_MS) -> bool:
        """Wait for events, fold and show them; what the view has put off is waited for no longer than that.

        Returns:
            Whether there were any.

        Raises:
            StoreUnavailable: The store has been away for longer than is waited for.
            RunNotFound: It came back without the run.
        """
        events = self._read(timeout_ms)
        for event in events:
            if self.run is None:
                self.run = begin(event)
            else:
                self.run.apply(event)
            self.tally.count(event, self.run)
            if order_of(event.id) > self._shown:
                self._shown = order_of(event.id)
                self._view.event(event)
        if self.run is not None:
            self._put_off_ms = self._view.tick(self.run, self.tally)
        return bool(events)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.run is not None and self.run.is_over

    def _read(self, timeout_ms: int) -> list[Event]:
        was_away = self._patience.is_tried
        # A server that was away may have lost the end of the log: then it is folded anew.
        after = self.run.last_id if self.run is not None and not was_away else "0-0"
        try:
            events = self._next(after, timeout_ms)
        except StoreUnavailable as error:
            self._patience.bear(error)
            return []
        self._patience.relax()
        if was_away:
            self.run, self.tally = None, Tally()
            if not events:
                raise RunNotFound(f"run {self._run_id} is no longer in the store, which was away")
        return events

    def _next(self, after: str, timeout_ms: int) -> list[Event]:
        if self._put_off_ms is None:
            return self._log.wait(self._run_id, after=after, timeout_ms=timeout_ms)
        ends_ms = monotonic_ms() + min(timeout_ms, self._put_off_ms)
        while not (events := self._log.read(self._run_id, after=after)) and monotonic_ms() < ends_ms:
            time.sleep(_SOON_S)
        return events


class Unserved:
    """Says which due steps nobody serves, each once."""

    def __init__(self, store: Store, plan: Plan, view: View, *, advice: str) -> None:
        self._workers = Workers(store)
        self._plan = plan
        self._view = view
        self._advice = advice
        self._told: set[str] = set()
        self._next_ms = monotonic_ms() + _FIRST_LOOK_MS

    def look(self, tally: Tally) -> None:
        """Look for such steps, if it is time to."""
        now = monotonic_ms()
        if now < self._next_ms:
            return
        self._next_ms = now + _NEXT_LOOK_MS
        due = {step for step, counted in tally.steps.items() if counted.states[WAITING]}
        # A store that is away is the watcher's to find out, who bears with it.
        with suppress(StoreUnavailable):
            for step in sorted(due - self._told):
                queue = self._plan.steps[step].queue
                if not self._workers.serving(queue):
                    self._told.add(step)
                    self._view.note(unserved_sentence(step, queue, advice=self._advice))


def served_queues(store: Store) -> frozenset[str]:
    """The queues that some live worker serves."""
    return frozenset(queue for worker in Workers(store).list() for queue in worker.queues)


def first_unserved(plan: Plan, served: Collection[str]) -> str | None:
    """The first step of a plan, as a reader expects them, whose queue is not among those that are served."""
    return next((step for step in Graph(plan.steps).in_order() if plan.steps[step].queue not in served), None)


def unserved_sentence(step: str, queue: str, *, advice: str) -> str:
    """What to say of a step that nobody serves."""
    return f"no live worker serves step `{step}` (queue `{queue}`); start one with: {advice}"


def follow(watcher: Watcher, interrupts: Interrupts, *, between: Callable[[], None]) -> None:
    """Show a run until it is over or a signal asks to stop.

    Args:
        watcher: The run.
        interrupts: The signals.
        between: Called after each look.
    """
    while not watcher.is_over and not interrupts.is_asked:
        watcher.look()
        between()


def drain(watcher: Watcher, worker_id: str, *, grace_ms: int) -> float:
    """Show a run until none of its steps runs in this process, or its grace is over.

    Returns:
        What is left of the grace, in milliseconds.
    """
    ends_ms = monotonic_ms() + grace_ms
    while not watcher.is_over and monotonic_ms() < ends_ms and running_here(watcher.run, worker_id):
        watcher.look()
    return max(0.0, ends_ms - monotonic_ms())


def running_here(run: RunState | None, worker_id: str) -> int:
    """How many steps of a run this process is running."""
    if run is None:
        return 0
    return sum(1 for one in run.activations.values() if one.state == RUNNING and one.worker == worker_id)
