"""What is looked for while a run is followed."""

from __future__ import annotations

import pytest

from engine.cli import watch
from engine.cli.tally import Tally
from engine.cli.watch import Unserved
from engine.events.fold import begin
from engine.store.connection import Store
from tests.unit.cli.sample import PLAN, event


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
