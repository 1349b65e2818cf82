"""Joins: once, when all have come, in any order; never a hang where one does not come."""

from __future__ import annotations

import threading

import pytest

from engine.events.state import COMPLETED, FAILED
from engine.events.types import EMIT, FLOW_FAILED
from tests.support.wait import wait_until
from tests.support.worker import PAYLOAD_BYTES, Step, assert_recorded_once, flow


def seen(job, ctx):
    return [job.data, job.event]


class Gates:
    """Two branches, each of which goes on when its gate is opened, and the join of both."""

    def __init__(self) -> None:
        self.left, self.right = threading.Event(), threading.Event()

    def begin(self, job, ctx):
        ctx.flow.emit("a", 1)
        ctx.flow.emit("b", 2)

    def on_left(self, job, ctx):
        assert self.left.wait(20)
        ctx.flow.emit("left.done", {"n": job.data})

    def on_right(self, job, ctx):
        assert self.right.wait(20)
        ctx.flow.emit("right.done", {"n": job.data})

    @property
    def flow(self):
        return flow(
            "joined",
            {
                "begin": Step(self.begin, emits=("a", "b")),
                "left": Step(self.on_left, on=("a",), emits=("left.done",)),
                "right": Step(self.on_right, on=("b",), emits=("right.done",)),
                "both": Step(seen, all=("left.done", "right.done")),
            },
        )


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("first", "last"), [("left", "right"), ("right", "left")])
def test_a_join_fires_once_all_have_come_in_whatever_order(workshop, first, last, workers):
    gates = Gates()
    for _ in range(workers):
        workshop.work(gates.flow)
    run_id = workshop.start(gates.flow)
    getattr(gates, first).set()
    wait_until(lambda: workshop.state(run_id).emits == 3, saw=lambda: workshop.events(run_id))
    assert "both" not in workshop.state(run_id).created
    getattr(gates, last).set()
    run = workshop.ended(run_id)
    assert run.result == [{"left.done": {"n": 1}, "right.done": {"n": 2}}, f"{last}.done"]
    assert_recorded_once(workshop.events(run_id), "begin#1", "left#1", "right#1", "both#1")
    filled = workshop.events(run_id, EMIT)[-1]
    assert (filled.data["event"], filled.data["to"]) == (f"{last}.done", ["both#1"])


def half(job, ctx):
    """Emits what the input says."""
    for event in job.data:
        ctx.flow.emit(event, event.upper())


def halves(*, then=seen):
    """A join of what the entry emits, or does not."""
    return flow(
        "half",
        {"begin": Step(half, emits=("a", "b", "c")), "all_of_them": Step(then, all=("a", "b", "c"))},
    )


@pytest.mark.parametrize(
    ("emitted", "message"),
    [
        (["a"], "join `all_of_them` has `a` and misses `b`, `c`"),
        (["c", "a"], "join `all_of_them` has `a`, `c` and misses `b`"),
        (["b", "b", "b"], "join `all_of_them` has `b` and misses `a`, `c`"),
    ],
)
def test_a_join_that_is_left_half_full_fails_its_run_and_names_what_it_missed(workshop, emitted, message):
    waiting = halves()
    workshop.work(waiting)
    run = workshop.run(waiting, emitted)
    assert (run.status, run.failed_step) == (FAILED, "all_of_them")
    assert run.error == {"type": "JoinIncomplete", "message": message}
    assert workshop.events(run.run_id)[-1].type == FLOW_FAILED


def test_a_join_of_which_nothing_came_is_a_branch_that_was_not_taken(workshop):
    waiting = halves()
    workshop.work(waiting)
    run = workshop.run(waiting, [])
    assert run.status == COMPLETED
    assert "all_of_them" not in run.created


def test_a_join_takes_the_first_of_each_and_later_ones_change_nothing(workshop):
    def begin(job, ctx):
        for n in range(60):
            ctx.flow.emit("a", n)
        ctx.flow.emit("b", "late")
        for n in range(60, 70):
            ctx.flow.emit("a", n)
            ctx.flow.emit("b", n)

    many = flow("many", {"begin": Step(begin, emits=("a", "b")), "both": Step(seen, all=("a", "b"))})
    workshop.work(many)
    run = workshop.run(many)
    assert run.result == [{"a": 0, "b": "late"}, "b"]
    assert [event.data["to"] for event in workshop.events(run.run_id, EMIT)] == [
        *[[]] * 60,
        ["both#1"],
        *[[]] * 20,
    ]


def test_a_join_is_given_what_is_too_large_for_a_job_from_the_log(workshop):
    value = "x" * (PAYLOAD_BYTES - 2)

    def begin(job, ctx):
        ctx.flow.emit("a", value)
        ctx.flow.emit("b", value)

    def measure(job, ctx):
        return {event: len(text) for event, text in job.data.items()}

    large = flow("large", {"begin": Step(begin, emits=("a", "b")), "both": Step(measure, all=("a", "b"))})
    workshop.work(large)
    assert workshop.run(large).result == {"a": len(value), "b": len(value)}


def test_more_bytes_than_a_join_may_read_fail_its_step(workshop):
    """What one attempt may emit, and what a join may read, have the same limit: these are two attempts."""
    gates = Gates()
    gates.left.set()
    gates.right.set()
    workshop.work(gates.flow, gather_bytes=13)
    run = workshop.run(gates.flow)
    assert (run.status, run.failed_step) == (FAILED, "both")
    assert run.error == {
        "type": "PayloadError",
        "message": "the input of step `both` has more than 13 bytes: raise `limits.gather_bytes`, "
        "or emit references to what is kept elsewhere",
    }


def test_a_join_behind_a_collect_and_a_collect_behind_a_join(workshop):
    def begin(job, ctx):
        for n in range(70):
            ctx.flow.emit("item", n)
        ctx.flow.emit("title", "squares")

    def publish(job, ctx):
        for value in sorted(job.data["total"]):
            ctx.flow.emit("page", [job.data["title"], value])

    mixed = flow(
        "mixed",
        {
            "begin": Step(begin, emits=("item", "title")),
            "square": Step(
                lambda job, ctx: ctx.flow.emit("done", job.data**2), on=("item",), emits=("done",)
            ),
            "total": Step(
                lambda job, ctx: ctx.flow.emit("total", job.data), collect="done", emits=("total",)
            ),
            "publish": Step(publish, all=("total", "title"), emits=("page",)),
            "bind": Step(lambda job, ctx: job.data, collect="page"),
        },
    )
    for _ in range(2):
        workshop.work(mixed)
    run = workshop.run(mixed)
    assert run.result == [["squares", n**2] for n in range(70)]
    assert run.created == {"begin": 1, "square": 70, "total": 1, "publish": 1, "bind": 1}
