"""What is looked for while a run is followed."""

from __future__ import annotations

import pytest

from engine.cli import watch
from engine.cli.tally import Tally
from engine.cli.watch import TICK_MS, Unserved, Watcher
from engine.events.fold import RunState, begin
from engine.events.types import Event
from engine.store.connection import Store
from tests.unit.cli.sample import HALF_WAY, PLAN, event


class Notes:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.fixture
def waiting():
    """A run whose first step waits, counted."""
    tally, first = Tally(), event("flow.start", 0, version=PLAN.version, input=None, to=[f"{PLAN.entry}#1"])
    tally.count(first, begin(first))
    return tally


def test_a_store_that_is_away_is_no_trouble_of_who_looks_for_workers(monkeypatch, waiting):
    monkeypatch.setattr(watch, "_FIRST_LOOK_MS", 0)
    store = Store("redis://127.0.0.1:1/0", address="nowhere", prefix="x", events_max_len=1)
    view = Notes()
    Unserved(store, PLAN, view, advice="flowengine worker").look(waiting)  # type: ignore[arg-type]
    assert view.notes == []


def test_a_step_that_nobody_serves_is_told_once(monkeypatch, waiting, store):
    monkeypatch.setattr(watch, "_FIRST_LOOK_MS", 0)
    monkeypatch.setattr(watch, "_NEXT_LOOK_MS", 0)
    view = Notes()
    unserved = Unserved(store, PLAN, view, advice="flowengine worker")  # type: ignore[arg-type]
    unserved.look(waiting)
    unserved.look(waiting)
    assert len(view.notes) == 1
    assert f"`{PLAN.entry}`" in view.notes[0]


class Read:
    """A log whose only page is there at once; it keeps how it was read."""

    def __init__(self, _store: object) -> None:
        self.ways: list[str] = []

    def wait(self, _run_id: str, *, after: str, timeout_ms: int) -> list[Event]:
        self.ways.append(f"for {timeout_ms} ms")
        return HALF_WAY if after == "0-0" else []

    def read(self, _run_id: str, *, after: str) -> list[Event]:
        self.ways.append(f"after {after}")
        return []


class PutsOff:
    """A view that cannot show a run as soon as it is told."""

    def __init__(self, *left_ms: float | None) -> None:
        self._left_ms = iter(left_ms)

    def event(self, event: Event) -> None:
        """Do nothing with it."""

    def note(self, sentence: str) -> None:
        """Do nothing with it."""

    def tick(self, run: RunState, tally: Tally) -> float | None:
        return next(self._left_ms)


def test_what_a_view_has_put_off_is_shown_as_soon_as_it_can_be(monkeypatch, store):
    monkeypatch.setattr(watch, "EventLog", Read)
    clock_ms = iter([0.0, 24.0, 25.0])
    monkeypatch.setattr(watch, "monotonic_ms", lambda: next(clock_ms))
    watcher = Watcher(store, "run1", PutsOff(25.0, None, None))
    for _ in range(3):
        watcher.look()
    long, soon = f"for {TICK_MS} ms", f"after {HALF_WAY[-1].id}"
    assert watcher._log.ways == [long, soon, soon, long]  # type: ignore[attr-defined]
