from __future__ import annotations

from dataclasses import replace

from engine.cli.rows import followers, in_order, most_telling, step_rows
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, event, folded


def rows(events, *, after_ms=200):
    run = folded(events)
    return {row.step: row for row in step_rows(run, PLAN, now_ms=BEGIN_MS + after_ms, notes={"take": "said"})}


def test_steps_come_in_the_order_in_which_the_plan_leads_to_them():
    assert in_order(PLAN) == ["take", "charge", "pack", "ship"]
    assert followers(PLAN, "take") == ["charge", "pack"]


def test_a_row_tells_state_attempt_and_time():
    found = rows(HALF_WAY)
    assert (found["take"].state, found["take"].attempt, found["take"].took_ms) == ("completed", 1, 4)
    assert found["take"].note == "said"
    assert (found["charge"].state, found["charge"].attempt, found["charge"].took_ms) == ("running", 2, 90)
    assert found["charge"].note == "ValueError: no card"
    assert (found["pack"].state, found["pack"].took_ms) == ("waiting", None)
    assert found["ship"].words == "not yet"


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


def test_a_clock_that_is_behind_never_shows_a_negative_time():
    assert rows(HALF_WAY, after_ms=0)["charge"].took_ms == 0


def test_what_runs_stays_when_the_table_is_too_tall_with_what_is_near_to_it():
    found = list(rows(HALF_WAY).values())
    assert [row.step for row in most_telling(found, 1)] == ["charge"]
    assert [row.step for row in most_telling(found, 3)] == ["take", "charge", "pack"]
    assert most_telling(found, 10) == found


def test_the_end_of_a_long_run_that_is_over_stays():
    done = [replace(row, state="completed") for row in rows(HALF_WAY).values()]
    assert [row.step for row in most_telling(done, 2)] == ["pack", "ship"]
