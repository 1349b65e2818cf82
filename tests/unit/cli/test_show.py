from __future__ import annotations

from collections import Counter

import pytest

from engine.cli.attempts import Attempts
from engine.cli.outcome import to_dict
from engine.cli.show import describe, with_attempts
from engine.cli.tally import counting
from tests.support.store import plan_from
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, VERSION, event, folded
from tests.unit.cli.wide import FORK, HALF_FULL, WIDE
from tests.unit.cli.wide import fan_out as wide_fan_out


def told(events, *, plan=PLAN, width=200, now_ms=BEGIN_MS + 999):
    attempts, emitted = Attempts(), Counter[str]()
    run = folded(list(attempts.noting(counting(events, emitted))))
    return describe(run, plan, attempts, emitted, now_ms=now_ms, width=width)


def fan_out(count, *, failed=0):
    """A run that charges so many times, of which the last fail; all at once, for 10 ms."""
    ids = [f"charge#{number}" for number in range(1, count + 1)]
    error = {"type": "ValueError", "message": "no card"}
    return [
        event("flow.start", 0, version=VERSION, input=None, to=["take#1"]),
        event("step.started", 1, "take#1", 1),
        event("emit", 2, "take#1", 1, event="order.taken", payload={}, to=ids),
        event("step.completed", 3, "take#1", 1, result=None, duration=2),
        *(event("step.started", 10, step_id, 1) for step_id in ids),
        *(event("step.completed", 20, one, 1, result=1, duration=10) for one in ids[: count - failed]),
        *(event("step.failed", 20, one, 1, error=error, ends=True) for one in ids[count - failed :]),
    ]


def test_the_run_its_steps_and_its_error_are_told():
    lines = told(FAILED)
    assert lines[:3] == ["run      run1", "flow     shop@1a2b3c4d", "status   failed"]
    assert lines[3].endswith("took 121 ms")
    table = [line.split() for line in lines[6:11]]
    assert table[0] == ["STEP", "STATE", "ATTEMPT", "AT", "TOOK", "RESULT"]
    assert table[1] == ["take#1", "completed", "1", "+1", "ms", "4", "ms", '{"id":7}']
    assert table[4] == ["ship", "not", "reached"]
    assert "error in step `charge`" in lines


def test_a_run_without_second_attempts_has_no_column_for_them():
    assert told(HALF_WAY[:6])[6].split() == ["STEP", "STATE", "AT", "TOOK", "RESULT"]


def test_everything_fits_the_terminal():
    for events in (HALF_WAY, fan_out(200, failed=2)):
        for width in (40, 60, 200):
            assert all(len(line) <= width for line in told(events, width=width))


@pytest.mark.parametrize("width", [60, 80])
def test_a_long_name_of_a_step_leaves_its_times_and_its_result(width):
    plan = plan_from({"s" * 60: {}})
    events = [
        event("flow.start", 0, version=plan.version, input=None, to=[f"{'s' * 60}#1"]),
        event("step.started", 1, f"{'s' * 60}#1", 1, worker="w1"),
        event("step.completed", 5, f"{'s' * 60}#1", 1, result=7, duration=4),
    ]
    header, line = told(events, plan=plan, width=width)[6:8]
    assert header.split() == ["STEP", "STATE", "AT", "TOOK", "RESULT"]
    assert line.split()[1:] == ["completed", "+1", "ms", "4", "ms", "7"]
    assert "…" in line


def test_a_step_that_cannot_be_served_says_why_until_an_attempt_begins():
    events = [
        event("flow.start", 0, version=VERSION, input=None, to=["take#1"]),
        event("step.unroutable", 5, "take#1", 1, worker="w1", release="1", reason="no function `take`"),
    ]
    assert told(events)[7].split(maxsplit=2) == ["take#1", "waiting", "cannot be served: no function `take`"]
    assert "cannot be served" not in "".join(told([*events, event("step.started", 9, "take#1", 1)]))


def test_a_run_that_nobody_has_begun_waits():
    lines = told(HALF_WAY[:1], now_ms=BEGIN_MS + 5_000)
    assert "take#1  waiting" in lines[7]
    assert set(lines[-2].split()[1]) == {"░"}


def test_steps_stay_together_in_the_order_in_which_they_became_due():
    names = [line.split()[0] for line in told(fan_out(5))[7:13]]
    assert names == ["take#1", *(f"charge#{number}" for number in range(1, 6))]


def test_many_activations_of_a_step_are_one_row_with_counts_and_times():
    lines = told(fan_out(10_000))
    [row] = [line for line in lines if line.startswith("charge") and "completed" in line]
    assert row.replace(",", "").split() == ["charge", "×10000", "10000", "completed", "+10", "ms", "10", "ms"]
    assert len(lines) < 20


def test_of_many_the_first_that_failed_are_named():
    lines = told(fan_out(100, failed=5))
    at = next(index for index, line in enumerate(lines) if line.startswith("charge ×100"))
    assert "5 failed, 95 completed" in lines[at]
    assert [line.split()[0] for line in lines[at + 1 : at + 4]] == ["charge#96", "charge#97", "charge#98"]
    assert "ValueError: no card" in lines[at + 1]
    assert lines[at + 4].split() == ["and", "2", "more", "failed"]


def test_a_join_says_what_it_misses_and_a_collect_what_it_has():
    misses = event("flow.failed", 9, error={"type": "JoinIncomplete"}, step="ship", duration=9)
    assert told(HALF_FULL, plan=FORK)[10].split() == ["ship", "waits", "for", "wrapped"]
    assert told([*HALF_FULL, misses], plan=FORK)[10].split() == ["ship", "incomplete", "misses", "wrapped"]
    assert told(wide_fan_out(7, done=3), plan=WIDE)[9].split() == [
        "add",
        "collects",
        "done",
        "3",
        "so",
        "far",
    ]


def test_json_has_every_activation_with_all_its_attempts():
    attempts = Attempts()
    run = folded(list(attempts.noting(FAILED)))
    told = with_attempts(to_dict(run, PLAN), run, attempts)
    steps = {step["stepId"] or step["step"]: step for step in told["steps"]}
    assert steps["charge#1"]["dueAt"] == "2026-01-01T00:00:00.003Z"
    assert [(one["attempt"], one["endedBy"]) for one in steps["charge#1"]["attempts"]] == [
        (1, "step.retry"),
        (2, "step.failed"),
    ]
    assert steps["charge#1"]["attempts"][0]["endedAt"] == "2026-01-01T00:00:00.010Z"
    assert (steps["pack#1"]["attempts"], steps["ship"]["dueAt"]) == ([], None)
