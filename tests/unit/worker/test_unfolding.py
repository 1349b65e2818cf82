"""When a keeper takes a fan-out over, and how much of its time it gives."""

from __future__ import annotations

from typing import Any

import pytest

from engine.store.connection import Call
from engine.worker import unfolding
from engine.worker.unfolding import Unfolding

PART = 50


class Yard:
    """Fan-outs of a store, a keeper that looks at them, and a clock that the test moves.

    Attributes:
        cursors: How far each is.
        driven: The fan-out of each part that was laid out here.
        part_ms: What a part takes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **widths: int) -> None:
        self.now_ms = 1_000_000.0
        self.part_ms = 1.0
        self.widths = widths
        self.cursors = dict.fromkeys(widths, 0)
        self.driven: list[str] = []
        self.cannot: set[str] = set()
        self.keeper = Unfolding(make_call=self._make_call, send=self._send)
        monkeypatch.setattr(unfolding, "monotonic_ms", lambda: self.now_ms)

    def _make_call(self, job: str, flow: str, version: str, cursor: int) -> Call | None:
        return None if job in self.cannot else ("unfold", (job, flow, version, cursor))

    def _send(self, call: Call) -> Any:
        job, flow, version, cursor = call[1]
        assert (flow, version) == ("f", "v")
        self.now_ms += self.part_ms
        if cursor != self.cursors[job]:
            return [b"DUP", self.cursors[job]]
        self.driven.append(job)
        self.cursors[job] += PART
        return [b"DONE"] if self.cursors[job] >= self.widths[job] else [b"MORE", self.cursors[job]]

    def look(self, *jobs: str, after_ms: float = 0.0) -> None:
        """Tell the keeper of some fan-outs."""
        self.now_ms += after_ms
        self.keeper.look([[job.encode(), b"f", b"v", self.cursors[job]] for job in jobs])


@pytest.fixture
def yard(monkeypatch):
    return Yard(monkeypatch, a=1_000, b=1_000)


def test_a_fan_out_that_moves_is_left_alone(yard):
    for _ in range(10):
        yard.look("a", "b", after_ms=1_000)
        yard.cursors["a"] += PART
        yard.cursors["b"] += PART
    assert yard.driven == []


def test_a_fan_out_that_has_not_moved_for_a_second_is_laid_out_to_its_end(yard):
    yard.look("a")
    yard.look("a", after_ms=900)
    assert yard.driven == []
    yard.look("a", after_ms=100)
    assert yard.driven == ["a"] * 20


def test_the_keeper_goes_back_to_its_leases_and_on_with_the_fan_out_at_the_next_look(yard):
    yard.part_ms = 100
    yard.look("a")
    yard.look("a", after_ms=1_000)
    assert yard.driven == ["a"] * 5
    yard.look("a", after_ms=20)
    assert yard.driven == ["a"] * 10


def test_all_fan_outs_together_take_no_more_of_its_time_than_one(yard):
    yard.part_ms = 100
    yard.look("a", "b")
    begun_ms = yard.now_ms
    yard.look("a", "b", after_ms=1_000)
    assert yard.now_ms - begun_ms - 1_000 <= 600


def test_one_of_many_that_is_seldom_told_of_is_taken_over_too(yard):
    """`promote` tells of ten, taken by chance."""
    yard.look("a")
    for _ in range(20):
        yard.look("b", after_ms=1_000)
        yard.cursors["b"] += 1
    yard.look("a", after_ms=1_000)
    assert yard.driven == ["a"] * 20


def test_one_that_its_own_process_goes_on_with_meanwhile_is_laid_out_from_where_it_is(yard):
    yard.look("a")
    yard.now_ms += 1_000
    told = [[b"a", b"f", b"v", 0]]
    yard.cursors["a"] = 400
    yard.keeper.look(told)
    assert yard.driven == ["a"] * 12


def test_one_that_cannot_be_laid_out_here_is_left_to_others(yard):
    yard.cannot = {"a"}
    yard.look("a", "b")
    yard.look("a", "b", after_ms=1_000)
    assert yard.driven == ["b"] * 20


def test_fan_outs_that_have_ended_are_forgotten(yard):
    for n in range(5_000):
        job = f"x{n}"
        yard.cursors[job], yard.widths[job] = 0, 1_000
        yard.look(job, after_ms=100)
    assert len(yard.keeper._seen) <= 700
