"""One attempt, from the job in hand to its settlement."""

from __future__ import annotations

import asyncio
import threading

import orjson
import pytest

from engine.errors import PayloadError
from engine.execution.attempt import MAX_MESSAGE, Phase
from engine.execution.settlement import MAX_TRACEBACK, describe, failure, skip
from tests.unit.execution.bench import PLAN, Bench

#: Where the arguments of a commit are (see `commit.lua`).
KIND, DATA, RESULT, SINKS, TAKE = 8, 10, 11, 12, 13


def data_of(call):
    """The data of the settling event of a commit or a failure."""
    name, args = call
    return orjson.loads(args[DATA] if name == "commit" else args[9])


def test_a_handler_that_returns_completes_its_step():
    bench = Bench()
    settlement = bench.execute(lambda job, ctx: {"n": job.data["n"]})
    name, args = bench.call_of(settlement)
    assert (name, args[KIND], args[SINKS]) == ("commit", "completed", "b,c")
    assert orjson.loads(args[DATA])["result"] == {"n": 1}
    assert settlement.error is None


def test_a_start_is_buffered_before_the_handler_runs():
    seen = []
    bench = Bench()
    bench.execute(lambda job, ctx: seen.append([event.type for event in bench.attempt.events]))
    assert seen == [["step.started"]]
    assert orjson.loads(bench.attempt.events[0].data) == {"worker": "w"}
    assert bench.attempt.phase is Phase.RUNNING
    assert bench.attempt.thread is threading.current_thread()


def test_only_a_sink_has_a_result_for_the_run():
    bench = Bench()
    assert bench.call_of(bench.execute(lambda job, ctx: 1))[1][RESULT] == b""
    sink = Bench(step="b", event="one")
    assert sink.call_of(sink.execute(lambda job, ctx: 1))[1][RESULT] == b"1"


def test_a_job_is_taken_along_only_where_something_follows():
    bench = Bench()
    assert bench.execute(lambda job, ctx: ctx.flow.emit("one")).take == "w.2"
    assert Bench().execute(lambda job, ctx: None).take == ""
    assert Bench(token="").execute(lambda job, ctx: ctx.flow.emit("one")).take == ""


def test_targets_are_takeable_where_this_process_serves_their_queue():
    bench = Bench()
    settlement = bench.execute(lambda job, ctx: ctx.flow.emit("one", 1))
    args = bench.call_of(settlement)[1]
    b, c = args[-21:-13], args[-13:-5]
    assert [(b[0], b[5]), (c[0], c[5])] == [("b", 1), ("c", 0)]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_is_raised_becomes_a_failure(error):
    def handler(job, ctx):
        ctx.flow.emit("one")
        raise error

    bench = Bench()
    settlement = bench.execute(handler)
    call = bench.call_of(settlement)
    assert call[0] == "fail"
    assert data_of(call)["cause"] == "error"
    assert data_of(call)["error"]["type"] == type(error).__name__
    assert settlement.error is error


def test_a_step_that_the_plan_does_not_have_is_a_failure_too():
    bench = Bench(step="nothing")
    assert bench.call_of(bench.execute(lambda job, ctx: None))[0] == "fail"


def test_a_fault_that_the_handler_caught_still_counts():
    def handler(job, ctx):
        with pytest.raises(PayloadError):
            ctx.flow.emit("secret")
        return "fine"

    bench = Bench()
    settlement = bench.execute(handler)
    assert bench.call_of(settlement)[0] == "fail"
    assert settlement.error is bench.attempt.fault


@pytest.mark.parametrize("result", [{1, 2}, "x" * 1_000], ids=["set", "large"])
def test_a_result_that_cannot_be_recorded_is_a_failure(result):
    bench = Bench()
    settlement = bench.execute(lambda job, ctx: result)
    assert bench.call_of(settlement)[0] == "fail"
    assert isinstance(settlement.error, PayloadError)
    assert "the result of step `a`" in str(settlement.error)


def test_a_settlement_tells_how_many_bytes_of_the_user_it_carries():
    bench = Bench()
    assert bench.execute(lambda job, ctx: "x" * 500).size >= 500
    assert Bench().execute(lambda job, ctx: ctx.flow.emit("deaf", "x" * 500)).size >= 500


def test_a_failure_has_the_users_traceback_and_no_frame_of_the_engine():
    def handler(job, ctx):
        return job.data["missing"]

    bench = Bench()
    described = data_of(bench.call_of(bench.execute(handler)))["error"]
    assert described["message"] == "'missing'"
    assert described["traceback"].count('File "') == 1
    assert 'return job.data["missing"]' in described["traceback"]


@pytest.mark.parametrize(
    ("call", "arguments"), [("set", ("books", 3)), ("delete", ("books",)), ("incr", ("books",))]
)
def test_a_change_of_the_state_that_was_not_awaited_fails_the_step(call, arguments):
    async def handler(job, ctx):
        for number in range(200):
            await ctx.state.set("n", number)
        getattr(ctx.state, call)(*arguments)

    bench = Bench()
    described = data_of(bench.call_of(bench.execute_async(handler)))["error"]
    assert described["type"] == "RuntimeError"
    assert described["message"] == f"`ctx.state.{call}` was not awaited: write `await ctx.state.{call}(…)`"


def test_a_handler_that_raises_is_told_as_that_whatever_it_forgot_to_await():
    async def handler(job, ctx):
        ctx.state.set("books", 3)
        raise ValueError("no card")

    bench = Bench()
    described = data_of(bench.call_of(bench.execute_async(handler)))["error"]
    assert (described["type"], described["message"]) == ("ValueError", "no card")


def test_changes_of_the_state_may_be_awaited_in_tasks():
    async def handler(job, ctx):
        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(ctx.state.set(f"n{number}", number))
        await asyncio.gather(ctx.state.incr("n0"), ctx.state.delete("n1"))

    bench = Bench()
    bench.execute_async(handler)
    assert len(bench.attempt.changes) == 102


def test_a_sentence_of_the_engine_ends_where_the_user_called_it():
    def handler(job, ctx):
        ctx.flow.emit("one", {1, 2})

    bench = Bench()
    described = data_of(bench.call_of(bench.execute(handler)))["error"]
    assert described["traceback"].count('File "') == 1
    assert described["traceback"].splitlines()[-2:] == [
        '    ctx.flow.emit("one", {1, 2})',
        "engine.errors.PayloadError: the payload of `one` cannot be recorded: a `set` is no JSON value",
    ]


def test_an_exception_that_was_never_raised_has_no_traceback():
    assert describe(RuntimeError("made here")) == {"type": "RuntimeError", "message": "made here"}


def test_what_a_failure_tells_is_bounded_and_keeps_both_ends_of_its_traceback():
    def handler(job, ctx):
        raise RuntimeError("x" * 100_000 + "the end")

    bench = Bench()
    described = data_of(bench.call_of(bench.execute(handler)))["error"]
    assert len(described["message"]) == MAX_MESSAGE
    assert len(described["traceback"]) <= MAX_TRACEBACK
    assert described["traceback"].startswith("Traceback (most recent call last)")
    assert described["traceback"].endswith("the end\n")


class Unprintable(Exception):
    def __str__(self):
        raise KeyboardInterrupt


def test_an_exception_that_cannot_be_shown_is_described_all_the_same():
    told = describe(Unprintable())["message"]
    assert told == "(its text cannot be shown: `__str__` raised KeyboardInterrupt)"


def test_half_a_character_is_escaped():
    assert describe(ValueError("\ud800"))["message"] == "\\ud800"


def test_a_skip_and_a_failure_need_no_handler():
    bench = Bench()
    name, args = bench.call_of(skip(bench.attempt, PLAN, bench.env, "why"))
    assert (name, args[KIND], orjson.loads(args[DATA])) == ("commit", "skipped", {"reason": "why"})
    call = bench.call_of(failure(bench.attempt, bench.env, RuntimeError("gone"), cause="worker lost"))
    assert data_of(call) == {"error": {"type": "RuntimeError", "message": "gone"}, "cause": "worker lost"}


@pytest.mark.parametrize("width", [3, 300])
def test_what_is_emitted_and_set_after_the_handler_has_returned_changes_nothing(width):
    """A thread that the handler has left behind may go on with the context at any moment."""
    kept = []

    def handler(job, ctx):
        kept.append(ctx)
        for n in range(width):
            ctx.flow.emit("deaf", n)
        ctx.state.set("k", 1)

    bench = Bench()
    settlement = bench.execute(handler)
    before = bench.call_of(settlement), len(settlement.staged)
    kept[0].flow.emit("deaf", "late")
    kept[0].state.set("k", 2)
    assert (bench.call_of(settlement), len(settlement.staged)) == before


def test_a_step_whose_settlement_is_handed_over_refuses_what_comes_later():
    bench = Bench()
    context = bench.context
    bench.attempt.phase = Phase.SETTLING
    for late in (
        lambda: context.flow.emit("deaf"),
        lambda: context.state.set("k", 1),
        lambda: context.state.incr("k"),
    ):
        with pytest.raises(RuntimeError, match="step `a` is over"):
            late()
    assert (bench.attempt.emits, bench.attempt.changes, bench.attempt.fault) == ([], [], None)
