"""What becomes of a step, and of the run, whatever its handler does."""

from __future__ import annotations

import math
import threading

import pytest

from engine.clock import monotonic_ms
from engine.events.types import (
    EMIT,
    FLOW_COMPLETED,
    FLOW_FAILED,
    FLOW_START,
    LOG,
    STEP_COMPLETED,
    STEP_FAILED,
    STEP_STARTED,
)
from tests.support.wait import wait_until
from tests.support.worker import PAYLOAD_BYTES, Step, alone, assert_recorded_once, chain, flow


def test_three_steps_one_after_the_other_complete_the_run(workshop):
    three = chain()
    workshop.work(three)
    run = workshop.run(three, {"n": 7})
    assert run.status == "completed"
    assert run.result == {"n": 7, "steps": 3}
    events = workshop.events(run.run_id)
    assert [event.type for event in events] == [
        FLOW_START,
        *(STEP_STARTED, EMIT, STEP_COMPLETED) * 2,
        *(STEP_STARTED, STEP_COMPLETED),
        FLOW_COMPLETED,
    ]
    assert_recorded_once(events, "first#1", "second#1", "third#1")


def test_every_subscriber_of_an_event_gets_it_and_several_sinks_make_an_object(workshop):
    fan = flow(
        "fan",
        {
            "begin": Step(lambda job, ctx: ctx.flow.emit("told", job.data), emits=("told",)),
            "left": Step(lambda job, ctx: job.data + 1, on=("told",)),
            "right": Step(lambda job, ctx: job.data + 2, on=("told",)),
        },
    )
    workshop.work(fan)
    run = workshop.run(fan, 10)
    assert run.result == {"left": 11, "right": 12}


def test_a_branch_that_is_not_taken_is_not_waited_for(workshop):
    fork = flow(
        "fork",
        {
            "choose": Step(lambda job, ctx: ctx.flow.emit(job.data), emits=("a", "b")),
            "on_a": Step(lambda job, ctx: "A", on=("a",)),
            "on_b": Step(lambda job, ctx: "B", on=("b",)),
        },
    )
    workshop.work(fork)
    assert workshop.run(fork, "b").result == {"on_b": "B"}


def test_an_event_that_nobody_hears_is_recorded_and_ends_there(workshop):
    loud = alone(lambda job, ctx: ctx.flow.emit("said", 1), emits=["said"])
    workshop.work(loud)
    run = workshop.run(loud)
    assert (run.status, run.result, run.emits) == ("completed", None, 1)
    [emit] = workshop.events(run.run_id, EMIT)
    assert emit.data["to"] == []


def test_one_step_may_emit_an_event_many_times(workshop):
    def begin(job, ctx):
        for n in range(200):
            ctx.flow.emit("item", n)

    def count(job, ctx):
        ctx.state.incr("sum", job.data)

    many = flow("many", {"begin": Step(begin, emits=("item",)), "count": Step(count, on=("item",))})
    workshop.work(many, threads=8)
    run = workshop.run(many)
    assert run.status == "completed"
    assert run.handler_state == {"sum": sum(range(200))}
    assert run.created == {"begin": 1, "count": 200}


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Wordless(Exception):
    __str__ = None  # type: ignore[assignment]


def raising(error):
    def handler(job, ctx):
        raise error

    return handler


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no card"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        MemoryError(),
        Unprintable(),
        Wordless(),
        ExceptionGroup("several", [ValueError("one"), TypeError("two")]),
        RuntimeError("\ud800 half a character"),
        RuntimeError("x" * 5_000_000),
    ],
    ids=lambda error: type(error).__name__ + str(len(error.args)),
)
def test_whatever_a_handler_raises_fails_its_step_and_its_run(workshop, error):
    broken = alone(raising(error))
    workshop.work(broken)
    run = workshop.run(broken)
    assert run.status == "failed"
    assert run.failed_step == "only"
    assert run.error is not None
    assert run.error["type"] == type(error).__name__
    [failed] = workshop.events(run.run_id, STEP_FAILED)
    assert failed.data["cause"] == "error"
    assert failed.data["ends"] is True
    assert len(failed.data["error"]["message"]) <= 10_000
    assert "test_steps.py" in failed.data["error"]["traceback"]
    assert "engine/execution" not in failed.data["error"]["traceback"]


def test_a_traceback_without_end_is_recorded_in_part(workshop):
    def handler(job, ctx):
        handler(job, ctx)

    broken = alone(handler)
    workshop.work(broken)
    run = workshop.run(broken)
    assert run.error is not None
    assert run.error["type"] == "RecursionError"
    [failed] = workshop.events(run.run_id, STEP_FAILED)
    assert len(failed.data["error"]["traceback"]) <= 20_000


def test_the_worker_goes_on_after_a_failure(workshop):
    three, broken = chain(), alone(raising(SystemExit()))
    workshop.work(three, broken, threads=1)
    for _ in range(3):
        assert workshop.run(broken).status == "failed"
    assert workshop.run(three, {"n": 1}).status == "completed"


def test_a_leaf_that_fails_fails_the_run_although_others_complete(workshop):
    fan = flow(
        "fan",
        {
            "begin": Step(lambda job, ctx: ctx.flow.emit("told"), emits=("told",)),
            "bad": Step(raising(ValueError("no")), on=("told",)),
            "good": Step(lambda job, ctx: 1, on=("told",)),
        },
    )
    workshop.work(fan)
    run = workshop.run(fan)
    assert (run.status, run.failed_step) == ("failed", "bad")
    assert workshop.events(run.run_id)[-1].type == FLOW_FAILED


def swallowing(job, ctx):
    try:
        ctx.flow.emit("secret")
    except Exception:
        return "all is well"


@pytest.mark.parametrize("handler", [swallowing, lambda job, ctx: ctx.flow.emit("secret")])
def test_an_event_that_is_not_declared_fails_the_step_even_if_the_handler_says_nothing(workshop, handler):
    broken = alone(handler, emits=["open"])
    workshop.work(broken)
    run = workshop.run(broken)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["type"] == "EmitNotDeclared"
    assert run.error["message"] == (
        "step `only` emitted `secret`, which it does not declare; its `emits` has `open`"
    )


class Thing:
    pass


CYCLE: list[object] = []
CYCLE.append(CYCLE)

NOT_JSON = [math.nan, [1, {"a": math.inf}], Thing(), {1, 2}, b"bytes", {1: 2}, 2**64, "\ud800", CYCLE]


def recording(where, value):
    """A handler that emits `said` and then records a value somewhere."""

    def handler(job, ctx):
        ctx.flow.emit("said", "before")
        if where == "payload":
            ctx.flow.emit("said", value)
        if where == "state":
            ctx.state.set("k", value)
        if where == "log":
            ctx.logger.log("info", "line", {"value": value})
        return value if where == "result" else None

    return handler


@pytest.mark.parametrize("where", ["payload", "result", "state", "log"])
def test_what_is_not_json_fails_the_step_before_anything_is_written(workshop, where):
    flows = [alone(recording(where, value), f"broken{n}", emits=["said"]) for n, value in enumerate(NOT_JSON)]
    workshop.work(*flows)
    for run in workshop.all_ended([workshop.start(broken) for broken in flows]):
        assert (run.status, run.emits, run.handler_state) == ("failed", 0, {}), run
        assert run.error is not None
        assert run.error["type"] == "PayloadError"


@pytest.mark.parametrize("where", ["payload", "result", "state", "log"])
def test_what_is_too_large_fails_the_step_and_names_the_setting(workshop, where):
    broken = alone(recording(where, "x" * PAYLOAD_BYTES), emits=["said"])
    workshop.work(broken, threads=1)
    run = workshop.run(broken)
    assert run.status == "failed"
    assert run.error is not None
    assert "limits.payload_bytes" in run.error["message"]


def test_what_is_just_small_enough_is_recorded(workshop):
    value = "x" * (PAYLOAD_BYTES - 2)
    large = alone(lambda job, ctx: value)
    workshop.work(large)
    assert workshop.run(large).result == value


def set_many_megabytes(count):
    def handler(job, ctx):
        for n in range(count):
            ctx.state.set(f"k{n}", "x" * (PAYLOAD_BYTES - 100))
        ctx.flow.emit("said")

    return alone(handler, emits=["said"])


def test_more_than_16_mib_of_changes_and_result_are_refused(workshop):
    broken = set_many_megabytes(17)
    workshop.work(broken)
    run = workshop.run(broken)
    assert (run.status, run.emits, run.handler_state) == ("failed", 0, {})
    assert run.error is not None
    assert "16,777,216" in run.error["message"]


def test_almost_16_mib_of_changes_and_result_are_recorded(workshop):
    large = set_many_megabytes(15)
    workshop.work(large)
    run = workshop.run(large)
    assert (run.emits, len(run.handler_state)) == (1, 15)


def test_what_is_emitted_is_not_weighed_against_what_one_transition_may_record(workshop):
    def handler(job, ctx):
        for _ in range(20):
            ctx.flow.emit("said", "x" * (PAYLOAD_BYTES - 10))
        return "y" * (PAYLOAD_BYTES - 2)

    large = alone(handler, emits=["said"])
    workshop.work(large)
    run = workshop.run(large)
    assert (run.emits, len(run.result)) == (20, PAYLOAD_BYTES - 2)


def test_results_of_many_megabytes_wait_for_each_other_and_all_arrive(workshop):
    value = "x" * (PAYLOAD_BYTES - 2)
    large = alone(lambda job, ctx: value)
    ids = workshop.start_many(large, 60)
    workshop.work(large, threads=8)
    assert all(run.result == value for run in workshop.all_ended(ids))


def test_a_step_that_emitted_and_then_raised_has_emitted_nothing(workshop):
    def handler(job, ctx):
        ctx.flow.emit("told", 1)
        ctx.state.set("k", 1)
        ctx.logger.info("this stays")
        raise ValueError("late")

    broken = flow(
        "broken",
        {"begin": Step(handler, emits=("told",)), "after": Step(lambda job, ctx: 1, on=("told",))},
    )
    workshop.work(broken)
    run = workshop.run(broken)
    assert (run.status, run.emits, run.handler_state, run.logs) == ("failed", 0, {}, 1)
    assert run.created == {"begin": 1}


def test_an_input_reaches_every_step(workshop):
    second = lambda job, ctx: [job.data, job.event, ctx.flow.input, ctx.flow.name]  # noqa: E731
    two = flow(
        "two",
        {
            "begin": Step(lambda job, ctx: ctx.flow.emit("told", "payload"), emits=("told",)),
            "after": Step(second, on=("told",)),
        },
    )
    workshop.work(two)
    assert workshop.run(two, {"a": 1}).result == ["payload", "told", {"a": 1}, "two"]


def test_a_job_tells_who_it_is(workshop):
    one = alone(
        lambda job, ctx: [
            job.id,
            job.attempt,
            job.event,
            ctx.flow.run_id,
            ctx.flow.input,
            ctx.idempotency_key,
        ]
    )
    workshop.work(one)
    run = workshop.run(one, 5)
    assert run.result == [f"{run.run_id}/only#1", 1, "", run.run_id, 5, f"{run.run_id}/only/0"]


def test_a_long_step_shows_its_start_and_its_lines_while_it_runs(workshop):
    gate = threading.Event()

    def handler(job, ctx):
        ctx.logger.info("first line")
        ctx.progress(0.5, "half way")
        gate.wait(20)

    slow = alone(handler)
    workshop.work(slow)
    run_id = workshop.start(slow)
    try:
        wait_until(
            lambda: len(workshop.events(run_id, STEP_STARTED, LOG)) == 3,
            saw=lambda: workshop.events(run_id),
        )
        assert workshop.state(run_id).status == "running"
    finally:
        gate.set()
    [_, line] = workshop.events(run_id, LOG)
    assert line.data == {"level": "info", "message": "half way", "data": {"progress": 0.5}}
    run = workshop.ended(run_id)
    assert run.logs == 2
    assert len(workshop.events(run_id, STEP_STARTED)) == 1


def test_a_start_keeps_its_time_although_it_rides_on_the_commit(workshop):
    def handler(job, ctx):
        begun_ms = monotonic_ms()
        while monotonic_ms() < begun_ms + 30:
            pass

    slow = alone(handler)
    workshop.work(slow)
    for _ in range(5):
        run = workshop.run(slow)
        [started] = workshop.events(run.run_id, STEP_STARTED)
        [completed] = workshop.events(run.run_id, STEP_COMPLETED)
        assert completed.data["duration"] >= 30
        # The times follow the server's clock, which a worker knows by the answers that it gets.
        assert completed.ts_ms - started.ts_ms >= 10
