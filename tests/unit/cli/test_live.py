from __future__ import annotations

import sys

from engine.cli import live
from engine.cli.live import LiveView
from tests.unit.cli.sample import FAILED, HALF_WAY, PLAN, event
from tests.unit.cli.wide import counted


def test_what_handlers_print_and_what_is_noted_stands_above_the_last_table(capfd):
    with LiveView(PLAN, see_all="flowengine logs run1") as view:
        for one in FAILED:
            view.event(one)
        print("printed")
        view.tick(*counted(HALF_WAY))
        view.note("noted")
        print("begun", end="")
        view.tick(*counted(FAILED))
    lines = capfd.readouterr().err.splitlines()
    assert lines[:4] == ["printed", "noted", "begun", "shop@1a2b3c4d failed 121 ms run1"]
    assert [line.split()[1] for line in lines[5:9]] == ["take", "charge", "pack", "ship"]
    assert lines[9] == ""
    assert [line.split(maxsplit=1)[1] for line in lines[10:]] == [
        "take#1    taking",
        "charge#1  ValueError: no card; attempt 2 of 3 in 100 ms",
    ]


LOADING = event("log", 111, "charge#1", 2, level="info", message="loading", data={"progress": 0.9})


def last_row_of_charge(events, capfd):
    with LiveView(PLAN, see_all="") as view:
        for one in events:
            view.event(one)
        view.tick(*counted(events))
    return [line for line in capfd.readouterr().err.splitlines() if line[1:].startswith(" charge")][-1]


def test_how_far_a_step_is_is_told_until_its_attempt_ends(capfd):
    begun = [one for one in HALF_WAY if one.type != "step.retry"]
    assert last_row_of_charge([*begun, LOADING], capfd).endswith("━━━━━━━━━─ loading")
    for ending in (
        event("step.completed", 120, "charge#1", 2, result=None, duration=10),
        event("step.lost", 120, "charge#1", 2, worker="w1", losses=1),
    ):
        assert "loading" not in last_row_of_charge([*begun, LOADING, ending], capfd)


def test_a_view_of_nothing_leaves_the_streams_as_they_were(capfd):
    before = sys.stdout, sys.stderr
    with LiveView(PLAN, see_all=""):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
    assert capfd.readouterr().err == ""


def test_a_run_that_cannot_be_drawn_yet_is_drawn_when_the_time_has_come(monkeypatch, capfd):
    clock_ms = 5_000.0
    monkeypatch.setattr(live, "monotonic_ms", lambda: clock_ms)
    with LiveView(PLAN, see_all="") as view:
        assert view.tick(*counted(HALF_WAY[:1])) is None
        clock_ms += 30
        assert view.tick(*counted(HALF_WAY[:2])) == 70
        clock_ms += 70
        assert view.tick(*counted(HALF_WAY[:2])) is None
