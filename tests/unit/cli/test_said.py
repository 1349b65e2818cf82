from __future__ import annotations

from engine.cli.said import KEPT, LastSaid
from tests.unit.cli.sample import event


def said(*levels):
    kept = LastSaid()
    for number, level in enumerate(levels):
        kept.add(event("log", number, "take#1", 1, level=level, message=str(number)))
    return kept


def messages(events):
    return [int(one.data["message"]) for one in events]


def test_the_last_ones_are_kept_and_all_are_counted():
    kept = said(*["info"] * 100)
    assert messages(kept.events) == list(range(100 - KEPT, 100))
    assert kept.count == 100
    assert messages(kept.last(3)) == [97, 98, 99]
    assert kept.last(0) == []
    assert kept.last(KEPT + 1) == kept.events


def test_a_warning_stays_longer_than_what_is_none():
    kept = said("warning", *["info"] * 50, "error", *["debug"] * 50)
    assert messages(kept.events)[:2] == [0, 51]
    assert messages(kept.last(3)) == [0, 51, 101]
    assert messages(kept.last(2)) == [51, 101]


def test_the_newest_is_always_shown():
    kept = said(*["warning"] * 50, "info")
    assert messages(kept.last(2)) == [49, 50]
    assert messages(kept.last(1)) == [50]


def test_attempts_that_are_tried_again_or_lost_are_said_and_progress_is_not():
    kept = LastSaid()
    kept.add(event("log", 1, "take#1", 1, level="info", message="half", data={"progress": 0.5}))
    kept.add(event("step.started", 2, "take#1", 1, worker="w1"))
    kept.add(event("step.retry", 3, "take#1", 1, error={}, attempt=1, delay=1))
    kept.add(event("step.lost", 4, "take#1", 2, worker="w1", losses=1))
    assert [one.type for one in kept.events] == ["step.retry", "step.lost"]
