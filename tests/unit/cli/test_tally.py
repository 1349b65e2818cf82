from __future__ import annotations

from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, VERSION, event
from tests.unit.cli.wide import counted


def tally_of(events):
    _, tally = counted(events)
    return tally


def test_each_step_has_its_activations_by_state():
    tally = tally_of(HALF_WAY)
    states = {step: +one.states for step, one in tally.steps.items()}
    assert states == {"take": {"completed": 1}, "charge": {"running": 1}, "pack": {"waiting": 1}}
    assert (tally.steps["charge"].attempt, tally.steps["charge"].open) == (2, 1)
    assert tally.emitted == {"order.taken": 1}


def test_a_step_lasts_from_its_first_start_to_its_last_end():
    charge = tally_of(FAILED).steps["charge"]
    assert (charge.started_at_ms, charge.ended_at_ms) == (BEGIN_MS + 6, BEGIN_MS + 120)


def test_the_end_of_the_run_closes_what_is_open():
    pack = tally_of(FAILED).steps["pack"]
    assert (+pack.states, pack.open, pack.ended_at_ms) == ({"dropped": 1}, 0, BEGIN_MS + 121)


def test_the_first_that_failed_is_told_rather_than_one_that_is_tried_again():
    events = [
        event("flow.start", 0, version=VERSION, to=["take#1"]),
        event("emit", 1, "take#1", 1, event="order.taken", to=["pack#1", "pack#2", "pack#3"]),
    ]
    events += [event("step.retry", 2, "pack#1", 1, error={"message": "again"}, attempt=1)]
    assert tally_of(events).steps["pack"].faulty.step_id == "pack#1"
    events += [event("step.failed", 3, "pack#3", 1, error={"message": "no"})]
    events += [event("step.retry", 4, "pack#2", 1, error={"message": "again"}, attempt=1)]
    assert tally_of(events).steps["pack"].faulty.step_id == "pack#3"


def test_a_wide_fan_out_says_how_much_is_to_come():
    events = [
        event("flow.start", 0, version=VERSION, to=["take#1"]),
        event("step.started", 1, "take#1", 1, worker="w1"),
        event("step.completed", 2, "take#1", 1, result=None, duration=1, emits=300),
    ]
    assert tally_of(events).steps["take"].to_come == 300
    events += [event("emit", 3, "take#1", 1, event="order.taken", to=["pack#1"], k=1)]
    assert tally_of(events).steps["take"].to_come == 299
    ended = [*events, event("flow.cancelling", 4), event("flow.cancelled", 5)]
    assert tally_of(ended).steps["take"].to_come == 0
