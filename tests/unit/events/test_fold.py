"""The state of a run as the fold of its log."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from engine.errors import CorruptEvent
from engine.events.fold import fold
from tests.support.events import begun, error, event


def folded(*events):
    run = fold([begun(), *events])
    assert run is not None
    return run


def test_nothing_folds_to_nothing():
    assert fold([]) is None


def test_a_run_begins_with_its_entry_waiting():
    run = folded()

    assert (run.run_id, run.flow, run.version, run.status) == ("r", "f", "v", "running")
    assert (run.input, run.started_at_ms, run.ended_at_ms) == ({"x": 1}, 1_000, None)
    assert run.open == 1
    assert run.activations["a#1"].state == "waiting"
    assert run.created == {"a": 1}


def test_a_step_that_runs_and_completes():
    run = folded(
        event("step.started", "a#1", ts_ms=2_000, worker="w"),
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["b#1", "b#2"]),
        event("step.completed", "a#1", ts_ms=3_000, result={"y": 2}, duration=1_000),
    )
    done = run.activations["a#1"]

    assert (done.state, done.worker, done.result) == ("completed", "w", {"y": 2})
    assert (done.started_at_ms, done.ended_at_ms, done.attempt) == (2_000, 3_000, 1)
    assert list(run.activations) == ["a#1", "b#1", "b#2"]
    assert run.open == 2
    assert (run.created, run.emits) == ({"a": 1, "b": 2}, 1)


def test_what_settles_a_step_may_set_off_collects():
    for kind in ("step.completed", "step.skipped", "step.failed"):
        run = folded(event(kind, "a#1", error=error(), to=["sum#1", "most#1"]))

        assert run.activations["sum#1"].state == run.activations["most#1"].state == "waiting"
        assert run.open == 2


def test_the_events_of_a_wide_fan_out_follow_the_end_of_their_step():
    run = folded(
        event("step.completed", "a#1", result=1, duration=1, emits=2),
        event("emit", "a#1", event="one", payload=1, path="0.1", k=1, to=["b#1"]),
        event("emit", "a#1", event="one", payload=2, path="0.2", k=2, to=["b#2", "sum#1"]),
    )

    assert (run.activations["a#1"].state, run.emits, run.open) == ("completed", 2, 3)
    assert run.created == {"a": 1, "b": 2, "sum": 1}


def test_a_join_that_is_half_full_fails_a_run_from_one_moment_to_the_next():
    half = {"type": "JoinIncomplete", "message": "join `j` has `one` and misses `two`"}
    run = folded(
        event("step.completed", "a#1", result=1, duration=1),
        event("flow.failed", error=half, step="j", duration=1),
    )

    assert (run.status, run.error, run.failed_step) == ("failed", half, "j")


def test_a_step_that_is_lost_waits_again():
    run = folded(
        event("step.started", "a#1", worker="w"), event("step.lost", "a#1", worker="w", losses=1)
    ).activations["a#1"]

    assert (run.state, run.losses) == ("waiting", 1)


def test_a_step_that_is_tried_again_is_delayed():
    run = folded(event("step.retry", "a#1", error=error(), failures=1)).activations["a#1"]

    assert (run.state, run.failures, run.error) == ("delayed", 1, error())


def test_a_failure_that_ends_the_run_turns_it_failing_and_the_first_error_stays():
    run = folded(
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["b#1", "b#2"]),
        event("step.completed", "a#1", result=1, duration=1),
        event("step.failed", "b#1", error=error("first"), cause="error", ends=True),
        event("step.failed", "b#2", error=error("second"), cause="error"),
    )
    assert (run.status, run.error, run.failed_step) == ("failing", error("first"), "b")
    run.apply(event("flow.failed", ts_ms=9_000, error=error("first"), step="b", duration=8_000))

    assert (run.status, run.error, run.ended_at_ms) == ("failed", error("first"), 9_000)
    assert run.is_over


def test_a_failure_that_does_not_end_the_run_leaves_it_running():
    assert folded(event("step.failed", "a#1", error=error(), cause="error")).status == "running"


def test_the_end_closes_what_is_open():
    run = folded(
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["b#1", "b#2", "b#3"]),
        event("step.completed", "a#1", result=1, duration=1),
        event("step.started", "b#1", worker="w"),
        event("step.retry", "b#2", error=error(), failures=1),
        event("flow.cancelling", reason="enough", by="me", until="..."),
        event("flow.cancelled", ts_ms=9_000, reason="enough", duration=1),
    )

    assert [it.state for it in run.activations.values()] == ["completed", "cancelled", "dropped", "dropped"]
    assert [it.ended_at_ms for it in run.activations.values()][1:] == [9_000] * 3
    assert run.open == 0


def test_the_result_is_that_of_the_end():
    run = folded(
        event("step.completed", "a#1", result=1, duration=1), event("flow.completed", result=2, duration=1)
    )
    assert (run.status, run.result) == ("completed", 2)


def test_changes_of_the_state_are_applied_in_order():
    def change(op, key, **more):
        return event("state", "a#1", op=op, key=key, scope="run", **more)

    run = folded(
        change("set", "a", value=[1]),
        change("incr", "n", by=2),
        change("incr", "n", by=0.5),
        change("set", "b", value=None),
        change("delete", "a"),
        change("delete", "never"),
    )
    assert run.handler_state == {"n": 2.5, "b": None}


def test_lines_are_counted():
    assert folded(*[event("log", "a#1", level="info", message="x")] * 3).logs == 3


def test_types_of_a_newer_release_are_kept_and_move_nothing():
    run = folded(event("step.paused", "a#1", why="?"), event("flow.paused"), event("whatever", number=9))

    assert (run.status, run.activations["a#1"].state, run.last_id) == ("running", "waiting", "9-0")


STARTED = event("step.started", "a#1", worker="w")
COMPLETED = event("step.completed", "a#1", result=1, duration=1)

ILLEGAL = {
    "a second start": ([], begun("a#2")),
    "a second start that makes nothing due": ([], replace(begun(), data={"version": "v", "to": []})),
    "an activation that was never due": ([], event("step.started", "b#1", worker="w")),
    "a settled activation settled again": ([COMPLETED], COMPLETED),
    "a settled activation lost": ([COMPLETED], event("step.lost", "a#1", worker="w", losses=1)),
    "a step event without its activation": ([], event("step.completed", result=1, duration=1)),
    "an emit that makes an activation due twice": (
        [STARTED],
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["a#1"]),
    ),
    "an emit whose second activation is out of turn": (
        [STARTED],
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["b#1", "b#3"]),
    ),
    "a settlement that makes something due out of turn": (
        [STARTED],
        event("step.completed", "a#1", result=1, duration=1, to=["b#2"]),
    ),
    "an activation without a number": (
        [STARTED],
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["b"]),
    ),
    "an activation with a number that is none": (
        [STARTED],
        event("emit", "a#1", event="one", payload=1, path="0.1", to=["b#01"]),
    ),
    "a text that is counted up": (
        [event("state", "a#1", op="set", key="n", value="x", scope="run")],
        event("state", "a#1", op="incr", key="n", by=1, scope="run"),
    ),
    "a change without a key": ([], event("state", "a#1", op="set", value=1)),
    "a running run that is failed by nothing": ([], event("flow.cancelled", reason="x", duration=1)),
    "a failing run that completes": (
        [event("step.failed", "a#1", error=error(), cause="error", ends=True)],
        event("flow.completed", result=1, duration=1),
    ),
    "a failing run that is cancelled": (
        [event("step.failed", "a#1", error=error(), cause="error", ends=True)],
        event("flow.cancelling", reason="x", by="me", until="..."),
    ),
    "anything after the end": (
        [COMPLETED, event("flow.completed", result=1, duration=1)],
        event("log", "a#1", level="info", message="x"),
    ),
}


@pytest.mark.parametrize(("before", "illegal"), ILLEGAL.values(), ids=list(ILLEGAL))
def test_an_illegal_event_raises_and_changes_nothing(before, illegal):
    run = folded(*before)
    was = copy.deepcopy(run)
    with pytest.raises(CorruptEvent, match=f"event {illegal.id}"):
        run.apply(illegal)
    assert run == was


@pytest.mark.parametrize(
    "first",
    [STARTED, event("flow.completed", result=1, duration=1), event("flow.start", input=1, to=["a#1"])],
)
def test_a_log_that_does_not_begin_with_a_whole_start_is_corrupt(first):
    with pytest.raises(CorruptEvent):
        fold([first])
