from __future__ import annotations

import sys

from engine.cli.live import LiveView
from tests.unit.cli.sample import FAILED, HALF_WAY, PLAN
from tests.unit.cli.wide import counted


def test_what_handlers_print_and_what_is_noted_stands_above_the_last_table(capfd):
    with LiveView(PLAN, see_all="flowengine logs run1") as view:
        for event in FAILED:
            view.event(event)
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


def test_a_view_of_nothing_leaves_the_streams_as_they_were(capfd):
    before = sys.stdout, sys.stderr
    with LiveView(PLAN, see_all=""):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
    assert capfd.readouterr().err == ""
