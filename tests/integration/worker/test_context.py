"""What handlers log, print and keep in the state, as it stands in the store afterwards."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager

import pytest

from engine.events.types import LOG, STATE, STEP_FAILED
from engine.execution.attempt import MAX_EVENTS
from engine.execution.capture import PrintsToLog, RecordsToLog
from tests.support.wait import wait_until
from tests.support.worker import PAYLOAD_BYTES, Step, alone, assert_recorded_once, flow


def lines_of(workshop, run_id):
    return [event.data for event in workshop.events(run_id, LOG)]


@pytest.fixture
def told():
    """A logger whose records handlers turn into events."""
    logger = logging.getLogger("users.own")
    handler = RecordsToLog()
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


@contextmanager
def listening():
    """Prints of handlers become events; not in a fixture, since pytest sets `sys.stdout` after them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", PrintsToLog(sys.stdout))
        yield


def test_lines_are_recorded_in_order_with_level_and_data(workshop):
    def handler(job, ctx):
        ctx.logger.debug("one")
        ctx.logger.info(message="two", data={"n": 2})
        ctx.logger.warning("three")
        ctx.logger.error("four")
        ctx.logger.log("strange", "five")
        ctx.progress(2, "six")
        ctx.progress(float("nan"))

    talkative = alone(handler)
    workshop.work(talkative)
    assert lines_of(workshop, workshop.run(talkative).run_id) == [
        {"level": "debug", "message": "one"},
        {"level": "info", "message": "two", "data": {"n": 2}},
        {"level": "warning", "message": "three"},
        {"level": "error", "message": "four"},
        {"level": "strange", "message": "five"},
        {"level": "info", "message": "six", "data": {"progress": 1.0}},
        {"level": "info", "message": "0%", "data": {"progress": 0.0}},
    ]


def test_records_of_the_standard_library_are_lines_of_the_step_that_made_them(workshop, told):
    def handler(job, ctx):
        told.warning("from %s", job.data)

    talkative = alone(handler)
    workshop.work(talkative, threads=4)
    ids = [workshop.start(talkative, n) for n in range(20)]
    workshop.all_ended(ids)
    told.warning("from nobody")
    for n, run_id in enumerate(ids):
        assert lines_of(workshop, run_id) == [
            {"level": "warning", "message": f"from {n}", "data": {"logger": "users.own"}}
        ]


def test_prints_are_lines_of_the_step_that_made_them(workshop, capsys):
    def handler(job, ctx):
        print("first", job.data)
        print("half", end=" ")
        print("line\nanother")

    talkative = alone(handler)
    workshop.work(talkative, threads=2)
    with listening():
        ids = [workshop.start(talkative, n) for n in range(10)]
        workshop.all_ended(ids)
        print("said by the engine")
    assert capsys.readouterr().out == "said by the engine\n"
    for n, run_id in enumerate(ids):
        said = [line["message"] for line in lines_of(workshop, run_id)]
        assert said == [f"first {n}", "half line", "another"]


def test_a_line_without_an_end_is_not_mixed_into_the_next_step(workshop):
    def handler(job, ctx):
        print(f"begun by {job.data}", end="")

    def other(job, ctx):
        print(f"said by {job.data}")

    talkative, quiet = alone(handler, "talkative"), alone(other, "quiet")
    workshop.work(talkative, quiet, threads=1)
    with listening():
        first = workshop.run(talkative, 1)
        second = workshop.run(quiet, 2)
    assert [line["message"] for line in lines_of(workshop, second.run_id)] == ["said by 2"]
    assert [line["message"] for line in lines_of(workshop, first.run_id)] == ["begun by 1"]


def test_a_chatty_handler_is_cut_short_and_told_so(workshop):
    def handler(job, ctx):
        for n in range(3 * MAX_EVENTS):
            ctx.logger.info(str(n))
        return "done"

    chatty = alone(handler)
    workshop.work(chatty)
    run = workshop.run(chatty, timeout_s=30)
    assert run.result == "done"
    lines = lines_of(workshop, run.run_id)
    assert len(lines) == MAX_EVENTS
    assert [line["message"] for line in lines[:-1]] == [str(n) for n in range(MAX_EVENTS - 1)]
    assert "the rest is dropped" in lines[-1]["message"]
    assert_recorded_once(workshop.events(run.run_id), "only#1")


def test_lines_of_many_megabytes_are_cut_short(workshop):
    def handler(job, ctx):
        for _ in range(40):
            ctx.logger.log("info", "large", {"value": "x" * (PAYLOAD_BYTES - 100)})
        return "done"

    chatty = alone(handler)
    workshop.work(chatty)
    run = workshop.run(chatty, timeout_s=30)
    assert run.result == "done"
    assert 10 < run.logs < 20


def test_lines_survive_a_failure_in_their_order(workshop):
    def handler(job, ctx):
        for n in range(500):
            ctx.logger.info(str(n))
        raise ValueError("after all that")

    broken = alone(handler)
    workshop.work(broken)
    run = workshop.run(broken)
    assert [line["message"] for line in lines_of(workshop, run.run_id)] == [str(n) for n in range(500)]
    assert workshop.events(run.run_id)[-2].type == STEP_FAILED


def test_a_step_sees_its_own_changes_at_once(workshop):
    def handler(job, ctx):
        seen = [ctx.state.get("k"), ctx.state.get("k", "default")]
        ctx.state.set("k", {"a": [1]})
        seen.append(ctx.state.get("k"))
        ctx.state.delete("k")
        seen.append(ctx.state.get("k"))
        seen += [ctx.state.incr("n"), ctx.state.incr("n", 4), ctx.state.incr("n", -2.5), ctx.state.get("n")]
        ctx.state.set("n", 10)
        seen.append(ctx.state.incr("n"))
        return seen

    stateful = alone(handler)
    workshop.work(stateful)
    run = workshop.run(stateful)
    assert run.result == [None, "default", {"a": [1]}, None, 1, 5, 2.5, 2.5, 11]
    assert run.handler_state == {"n": 11}


def test_what_a_step_has_taken_out_of_the_state_cannot_be_changed_behind_its_back(workshop):
    def handler(job, ctx):
        value = {"a": 1}
        ctx.state.set("k", value)
        value["a"] = 2
        return ctx.state.get("k")

    stateful = alone(handler)
    workshop.work(stateful)
    run = workshop.run(stateful)
    assert run.result == {"a": 1}
    assert run.handler_state == {"k": {"a": 1}}


def test_a_later_step_sees_what_an_earlier_one_has_set(workshop):
    def begin(job, ctx):
        ctx.state.set("k", job.data)
        ctx.state.incr("n", 2)
        ctx.flow.emit("told")

    def after(job, ctx):
        ctx.state.incr("n", 3)
        return [ctx.state.get("k"), ctx.state.get("n"), ctx.state.get("nothing")]

    stateful = flow("stateful", {"begin": Step(begin, emits=("told",)), "after": Step(after, on=("told",))})
    workshop.work(stateful)
    run = workshop.run(stateful, {"a": 1})
    assert run.result == [{"a": 1}, 5, None]
    assert run.handler_state == {"k": {"a": 1}, "n": 5}
    assert len(workshop.events(run.run_id, STATE)) == 3


def test_sums_are_exact_whoever_counts(workshop):
    def begin(job, ctx):
        for n in range(200):
            ctx.flow.emit("item", n)

    def count(job, ctx):
        for _ in range(3):
            ctx.state.incr("whole", job.data)
        ctx.state.incr("quarters", 0.25)

    counting = flow("counting", {"begin": Step(begin, emits=("item",)), "count": Step(count, on=("item",))})
    workshop.work(counting, threads=8)
    workshop.work(counting, threads=8)
    run = workshop.run(counting)
    assert run.handler_state == {"whole": 3 * sum(range(200)), "quarters": 50.0}


def test_a_value_that_cannot_be_counted_up_fails_the_step_that_tried(workshop):
    def handler(job, ctx):
        ctx.state.set("k", "text")
        ctx.state.incr("k")

    broken = alone(handler)
    workshop.work(broken)
    run = workshop.run(broken)
    assert (run.status, run.handler_state) == ("failed", {})
    assert run.error is not None
    assert "cannot be counted up" in run.error["message"]


def test_a_sum_that_another_step_has_made_impossible_fails_with_its_cause(workshop):
    both, spoilt = threading.Barrier(2), threading.Event()

    def begin(job, ctx):
        ctx.flow.emit("told")

    def spoil(job, ctx):
        both.wait(20)
        ctx.state.set("k", "text")

    def count(job, ctx):
        ctx.state.incr("k")
        both.wait(20)
        assert spoilt.wait(20)

    racing = flow(
        "racing",
        {
            "begin": Step(begin, emits=("told",)),
            "count": Step(count, on=("told",)),
            "spoil": Step(spoil, on=("told",)),
        },
    )
    workshop.work(racing)
    run_id = workshop.start(racing)
    wait_until(lambda: workshop.state(run_id).handler_state == {"k": "text"})
    spoilt.set()
    run = workshop.ended(run_id)
    assert (run.status, run.failed_step, run.handler_state) == ("failed", "count", {"k": "text"})
    [failed] = workshop.events(run_id, STEP_FAILED)
    assert failed.data["cause"].startswith("commit refused: state `k` cannot be counted up")


def test_more_changes_than_a_commit_may_carry_fail_the_step(workshop):
    def handler(job, ctx):
        for n in range(1_000):
            ctx.state.set("k", n)

    broken = alone(handler)
    workshop.work(broken)
    run = workshop.run(broken)
    assert (run.status, run.handler_state) == ("failed", {})


@pytest.mark.parametrize("key", ["", "x" * 257, "\ud800"], ids=["empty", "long", "half"])
def test_a_key_that_does_not_fit_fails_the_step(workshop, key):
    def handler(job, ctx):
        ctx.state.set(key, 1)

    broken = alone(handler)
    workshop.work(broken)
    assert workshop.run(broken).status == "failed"


def test_any_text_is_a_key(workshop):
    def handler(job, ctx):
        ctx.state.set(job.data, 1)
        ctx.state.incr(job.data, 2)
        return ctx.state.get(job.data)

    stateful = alone(handler)
    workshop.work(stateful)
    for key in ["c:x", "a b\r\n*1", "ключ", "{}", '"', "-1"]:
        run = workshop.run(stateful, key)
        assert (run.result, run.handler_state) == (3, {key: 3})
