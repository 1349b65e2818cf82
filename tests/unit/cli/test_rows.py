from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.rows import Board, most_telling
from tests.support.store import plan_from
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, event
from tests.unit.cli.wide import FORK, HALF_FULL, WIDE, counted, fan_out


def rows(events, *, after_ms=200):
    run, tally = counted(events)
    found = Board(PLAN).rows(run, tally, now_ms=BEGIN_MS + after_ms, notes={"take": "said"})
    return {row.step: row for row in found}


def test_a_row_tells_state_attempt_and_time():
    found = rows(HALF_WAY)
    assert (found["take"].state, found["take"].attempt, found["take"].took_ms) == ("completed", 1, 4)
    assert found["take"].note == "said"
    assert (found["charge"].state, found["charge"].attempt, found["charge"].took_ms) == ("running", 2, 90)
    assert found["charge"].note == "ValueError: no card"
    assert (found["pack"].state, found["pack"].took_ms) == ("waiting", None)
    assert found["ship"].words == "not yet"


def test_what_a_second_attempt_says_is_told_before_the_error_of_the_first():
    run, tally = counted(HALF_WAY)
    found = Board(PLAN).rows(run, tally, now_ms=BEGIN_MS + 200, notes={"charge": "half"})
    assert {row.step: row.note for row in found}["charge"] == "half"


def test_steps_that_a_run_never_came_to_are_not_reached():
    found = rows(FAILED)
    assert found["charge"].state == "failed"
    assert found["pack"].state == "dropped"
    assert found["ship"].words == "not reached"


def test_several_activations_are_counted_in_one_row():
    events = [
        *HALF_WAY,
        event("step.completed", 130, "charge#1", 2, duration=20),
        event("step.started", 131, "pack#1", 1, worker="w1"),
        event("emit", 132, "pack#1", 1, event="order.packed", to=["ship#1"]),
        event("emit", 133, "pack#1", 1, event="order.packed", to=["ship#2"]),
        event("step.started", 134, "ship#1", 1, worker="w1"),
    ]
    row = rows(events)["ship"]
    assert row.state == "running"
    assert row.words == "1 running, 1 waiting"


def row_of(step, events, plan=WIDE):
    run, tally = counted(events)
    found = {row.step: row for row in Board(plan).rows(run, tally, now_ms=BEGIN_MS + 9_000, notes={})}
    return found[step]


def test_a_step_with_many_activations_counts_them():
    row = row_of("work", fan_out(640, done=312, running=8))
    assert (row.state, row.done, row.total, row.is_growing) == ("running", 312, 640, False)
    assert row.words == "8 running, 320 waiting, 312 completed"
    assert row.is_fan_out


def test_between_two_of_many_a_step_still_counts_as_running():
    assert row_of("work", fan_out(3)).state == "waiting"
    assert row_of("work", fan_out(3, done=1)).state == "running"
    assert row_of("work", fan_out(3, done=3)).state == "completed"


def test_activations_that_are_announced_belong_to_the_total():
    row = row_of("work", fan_out(200, done=5, announced=10_000))
    assert (row.done, row.total, row.is_growing) == (5, 10_000, False)


def test_a_total_grows_while_a_step_before_it_goes_on():
    events = [one for one in fan_out(3, done=2) if one.type != "step.completed" or one.step_name != "find"]
    assert (row_of("work", events).total, row_of("work", events).is_growing) == (3, True)


#: `find` goes on after its first event, of which `work` has done its part.
ONE_SO_FAR = [
    *fan_out(1)[:2],
    event("emit", 2, "find#1", 1, event="found", to=["work#1"]),
    event("step.started", 3, "work#1", 1, worker="w1"),
    event("emit", 4, "work#1", 1, event="done", to=[]),
    event("step.completed", 4, "work#1", 1, result=None, duration=1),
]


def test_what_is_done_is_not_all_while_the_total_may_grow():
    row = row_of("work", ONE_SO_FAR)
    assert (row.state, row.done, row.total, row.is_growing, row.is_fan_out) == ("running", 1, 1, True, True)
    row = row_of("work", [*ONE_SO_FAR, event("step.completed", 5, "find#1", 1, result=None, duration=4)])
    assert (row.state, row.words, row.is_fan_out) == ("completed", "completed", False)


def test_the_first_of_many_that_may_follow_is_told_as_it_is_while_it_runs():
    row = row_of("work", ONE_SO_FAR[:4])
    assert (row.state, row.words, row.is_fan_out) == ("running", "running", False)


def test_a_run_that_is_ending_makes_nothing_due_any_more():
    ending = event("flow.cancelling", 5, reason="asked")
    assert row_of("work", [*ONE_SO_FAR, ending]).state == "completed"


def test_a_collect_says_what_it_collects_and_how_much_it_has():
    row = row_of("add", fan_out(3))
    assert (row.state, row.words, row.note) == ("not yet", "collects done", "")
    row = row_of("add", fan_out(3, done=2))
    assert (row.state, row.words, row.note) == ("waiting", "collects done", "2 so far")


def test_a_collect_whose_branch_was_not_taken_is_not_reached():
    events = [*fan_out(0), event("flow.completed", 9, result=None, duration=9)]
    assert row_of("add", events).words == "not reached"


def test_a_join_says_what_it_still_waits_for():
    row = row_of("ship", HALF_FULL[:3], FORK)
    assert (row.state, row.words) == ("not yet", "waits for ok, wrapped")
    row = row_of("ship", HALF_FULL, FORK)
    assert (row.state, row.words) == ("waiting", "waits for wrapped")


def test_a_join_is_due_once_whatever_is_emitted_after_it():
    events = [
        *HALF_FULL[:2],
        event("emit", 1, "take#1", 1, event="packed", to=["pack#1"]),
        *HALF_FULL[3:],
        event("emit", 5, "pack#1", 1, event="wrapped", to=["ship#1"]),
        event("step.completed", 6, "ship#1", 1, result=None, duration=1),
    ]
    row = row_of("ship", events, FORK)
    assert (row.state, row.is_fan_out) == ("completed", False)


def test_a_join_that_was_left_incomplete_has_failed_and_says_what_it_misses():
    error = {"type": "JoinIncomplete", "message": "join `ship` has `ok` and misses `wrapped`"}
    events = [*HALF_FULL, event("flow.failed", 5, error=error, step="ship", duration=5)]
    row = row_of("ship", events, FORK)
    assert (row.state, row.words, row.note) == ("failed", "incomplete", "misses wrapped")
    assert row_of("pack", events, FORK).words == "not reached"


def test_all_joins_that_were_left_incomplete_are_told_alike():
    joins = {name: {"subscribes": {"all": ["ok", "wrapped"]}} for name in ("bill", "ship")}
    plan = plan_from(
        {
            "take": {"emits": ["ok", "packed"]},
            "pack": {"subscribes": "packed", "emits": ["wrapped"]},
            **joins,
        }
    )
    events = [
        event("flow.start", 0, version=plan.version, to=["take#1"]),
        event("emit", 1, "take#1", 1, event="ok", to=[]),
        event("step.completed", 2, "take#1", 1, result=None, duration=1),
    ]
    failed = event("flow.failed", 5, error={"type": "JoinIncomplete"}, step="bill", duration=5)
    for name in joins:
        row = row_of(name, [*events, failed], plan)
        assert (row.state, row.words, row.note) == ("failed", "incomplete", "misses wrapped")
    cancelled = [event("flow.cancelling", 5), event("flow.cancelled", 6)]
    row = row_of("bill", [*events, *cancelled], plan)
    assert (row.state, row.words, row.note) == ("not reached", "incomplete", "misses wrapped")


def test_a_join_whose_run_fails_before_it_is_due_misses_nothing():
    error = {"type": "ValueError", "message": "no"}
    events = [
        *HALF_FULL[:2],
        event("emit", 1, "take#1", 1, event="packed", to=["pack#1"]),
        event("step.failed", 2, "take#1", 1, error=error, ends=True),
        *(
            event("emit", 3, one, 1, event=name, to=[])
            for one, name in (("pay#1", "ok"), ("pack#1", "wrapped"))
        ),
    ]
    assert row_of("ship", events, FORK).words == "not yet"
    failed = event("flow.failed", 5, error=error, step="take", duration=5)
    assert (row_of("ship", [*events, failed], FORK).words) == "not reached"


def test_a_clock_that_is_behind_never_shows_a_negative_time():
    assert rows(HALF_WAY, after_ms=0)["charge"].took_ms == 0


def test_what_runs_stays_when_the_table_is_too_tall_with_what_is_near_to_it():
    found = list(rows(HALF_WAY).values())
    assert [row.step for row in most_telling(found, 1)] == ["charge"]
    assert [row.step for row in most_telling(found, 3)] == ["take", "charge", "pack"]
    assert most_telling(found, 10) == found


def test_the_end_of_a_long_run_that_is_over_stays():
    done = [replace(row, state="completed", total=1) for row in rows(HALF_WAY).values()]
    assert [row.step for row in most_telling(done, 2)] == ["pack", "ship"]


def tall(*states):
    """Rows of steps in these states, all due but those that are not yet."""
    [row, *_] = rows(HALF_WAY).values()
    return [
        replace(row, step=f"s{number}", state=state, total=int(state != "not yet"))
        for number, state in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("frontier", "shown"),
    [
        (["running"], ["s2", "s3", "s4"]),
        (["waiting"], ["s2", "s3", "s4"]),
        (["completed"], ["s2", "s3", "s4"]),
        (["waiting", "waiting", "waiting", "running"], ["s4", "s5", "s6"]),
    ],
    ids=["one runs", "one waits", "between two", "some wait"],
)
def test_a_table_that_is_too_tall_shows_where_the_run_is(frontier, shown):
    found = tall(*["completed"] * 3, *frontier, *["not yet"] * 5)
    assert [row.step for row in most_telling(found, 3)] == shown


def test_a_run_that_has_not_begun_shows_its_first_steps():
    assert [row.step for row in most_telling(tall("waiting", *["not yet"] * 5), 2)] == ["s0", "s1"]


def test_a_collect_that_waits_for_its_events_stays_but_is_not_where_the_run_is():
    found = tall("completed", "waiting", *["not yet"] * 5, "waiting")
    found[-1] = replace(found[-1], total=0)
    assert [row.step for row in most_telling(found, 3)] == ["s0", "s1", "s7"]
