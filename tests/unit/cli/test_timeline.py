from __future__ import annotations

import click

from engine.cli.attempts import Attempts
from engine.cli.timeline import Row, timeline
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, VERSION, event, folded

HOUR_MS = 3_600_000


def drawn(events, *, width=47, now_ms=BEGIN_MS + 121, colour=False, together=False):
    attempts = Attempts()
    run = folded(list(attempts.noting(events)))
    all_of_it = list(run.activations.values())
    rows = [Row("all", all_of_it)] if together else [Row(one.step_id, [one]) for one in all_of_it]
    return timeline(run, rows, attempts, now_ms=now_ms, width=width, colour=colour)


def beginning(*, after_ms=0):
    return [
        event("flow.start", 0, version=VERSION, input=None, to=["take#1"]),
        event("step.started", after_ms, "take#1", 1),
    ]


def test_waiting_running_retries_and_failures_have_their_signs():
    assert drawn(FAILED) == [
        "          0 ──────────────────────────── 121 ms",
        "take#1    ██",
        "charge#1  ░█✗┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄███✗",
        "pack#1    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░",
        "█ running  ░ waiting  ┄ until the next attempt",
        "✗ failed",
    ]


def test_a_run_that_goes_on_ends_now():
    lines = drawn(HALF_WAY, now_ms=BEGIN_MS + 200)
    assert lines[0].endswith("200 ms")
    assert lines[2].endswith("████")


def test_an_hour_in_which_nobody_worked_is_left_out_and_named():
    lines = drawn(
        [*beginning(after_ms=HOUR_MS), event("step.completed", HOUR_MS + 40, "take#1", 1)],
        now_ms=BEGIN_MS + HOUR_MS + 80,
        width=60,
    )
    assert lines[1] == "take#1  ≈≈" + 25 * "█"
    assert lines[-1] == "█ running  ≈ left out: 1h 00m in which nothing ran"


def test_a_lost_attempt_has_its_sign():
    events = [
        *beginning(),
        event("step.lost", 50, "take#1", 1, worker="w", losses=1),
        event("step.completed", 100, "take#1", 2),
    ]
    _, row, legend = drawn(events)
    assert row == f"take#1  {15 * '█'}!{16 * '░'}"
    assert legend == "█ running  ░ waiting  ! lost with its worker"


def test_several_are_one_line_that_says_how_many_ran_at_once():
    ids = [f"charge#{number}" for number in range(1, 9)]
    events = [
        event("flow.start", 0, version=VERSION, input=None, to=ids),
        *(event("step.started", 10 * number, one, 1) for number, one in enumerate(ids)),
        *(event("step.completed", 80, one, 1) for one in ids),
    ]
    _, row, legend = drawn(events, now_ms=BEGIN_MS + 80, width=61, together=True)
    assert row == "all  " + "".join(sign * 5 for sign in "▁▂▃▄▅▆▇█") + "  8 at once"
    assert legend == "▁▄█ how many run"


def test_several_of_which_none_has_run_say_nothing_of_how_many():
    events = [event("flow.start", 0, version=VERSION, input=None, to=["charge#1", "charge#2"])]
    _, row, legend = drawn(events, together=True)
    assert row == f"all  {'░' * (len(row) - 5)}"
    assert legend == "░ waiting"


def test_names_of_rows_that_must_be_cut_stay_different():
    names = ["notify_customer_by_electronic_mail#1", "notify_customer_by_electronic_text#1"]
    events = [event("flow.start", 0, version=VERSION, input=None, to=names)]
    assert [line.split()[0] for line in drawn(events, width=60)[1:3]] == [
        "notify_cu…nic_mail#1",
        "notify_cu…nic_text#1",
    ]


def test_a_settlement_without_an_attempt_has_its_sign():
    events = [*beginning(), event("step.skipped", 100, "take#1", 2, reason="no")]
    assert drawn([events[0], events[2]])[1] == f"take#1  {32 * '░'}–"


def test_where_some_are_due_and_none_runs_they_wait():
    events = [
        event("flow.start", 0, version=VERSION, input=None, to=["charge#1", "charge#2"]),
        event("step.started", 50, "charge#1", 1),
        event("step.completed", 60, "charge#1", 1),
    ]
    bars = drawn(events, now_ms=BEGIN_MS + 100, together=True)[1].split()[1]
    assert bars.startswith("░")
    assert bars.endswith("░")
    assert "█" in bars


def test_colours_change_nothing_but_the_colour():
    plain, coloured = drawn(FAILED), drawn(FAILED, colour=True)
    assert plain != coloured
    assert [click.unstyle(line) for line in coloured] == plain


def test_where_there_is_no_terminal_the_bars_have_a_handy_width():
    assert max(len(line) for line in drawn(FAILED, width=10_000)[:-1]) == 70


def test_what_took_less_than_a_millisecond_is_not_said_to_have_run_beside_its_like():
    ids = [f"charge#{number}" for number in range(1, 9)]
    events = [
        event("flow.start", 0, version=VERSION, input=None, to=ids),
        *(event(kind, 40, one, 1) for one in ids for kind in ("step.started", "step.completed")),
    ]
    _, row, _ = drawn(events, now_ms=BEGIN_MS + 80, width=61, together=True)
    assert row.split() == ["all", 20 * "░" + "█", "1", "at", "once"]
