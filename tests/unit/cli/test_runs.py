from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.output import format_date
from engine.cli.runs import lines
from engine.events.state import STATUSES
from engine.store.index import RunSummary
from tests.unit.cli.sample import BEGIN_MS

ERROR = {"type": "ValueError", "message": "no card"}

VERSION = "3f4eca37" + 56 * "0"


def summary(name, *, error=None):
    status = "failed" if error else "completed"
    return RunSummary(name * 20, "shop", VERSION, status, BEGIN_MS, BEGIN_MS + 5, error, error and "charge")


def told(*runs, width):
    return lines(runs, now_ms=BEGIN_MS + 9, width=width)


def test_why_a_run_failed_stands_beside_it_where_there_is_room():
    _, failed, completed = told(summary("a", error=ERROR), summary("b"), width=120)
    assert failed.endswith("5 ms  charge: ValueError: no card")
    assert completed.endswith("5 ms")


def test_why_a_run_failed_stands_below_it_on_a_narrow_terminal():
    header, failed, why, completed = told(summary("a", error=ERROR), summary("b"), width=60)
    assert why == "  charge: ValueError: no card"
    assert [line.split()[0] for line in (header, failed, completed)] == ["RUN", "a" * 12, "b" * 12]
    assert all(len(line) <= 60 for line in (header, failed, completed))


def test_runs_that_did_not_fail_have_a_line_each_on_any_terminal():
    assert len(told(summary("a"), summary("b"), width=60)) == 3


@pytest.mark.parametrize("status", STATUSES)
def test_sixty_columns_have_what_a_run_took(status):
    long = replace(summary("a"), flow="f" * 43, status=status, ended_at_ms=BEGIN_MS + 36_000_000)
    line = told(long, width=60)[1]
    assert line.endswith("10h 00m")
    assert len(line) <= 60
    assert line.split()[0] == "a" * 12
    assert format_date(BEGIN_MS).partition("-")[2] in line


def test_ids_and_dates_are_whole_where_there_is_room():
    [_, line] = told(summary("a"), width=75)
    assert line.split()[0] == "a" * 20
    assert format_date(BEGIN_MS) in line


def test_each_run_has_the_beginning_of_its_version():
    header, first, second = told(summary("a"), replace(summary("b"), version="9" * 64), width=120)
    assert header.split()[:3] == ["RUN", "FLOW", "VERSION"]
    assert [line.split()[2] for line in (first, second)] == ["3f4eca37", "9" * 8]


def test_the_version_goes_after_the_end_of_the_id_and_before_what_a_run_took():
    [_, with_it] = told(summary("a"), width=62)
    header, without_it = told(summary("a"), width=60)
    assert with_it.split()[:3] == ["a" * 12, "shop", "3f4eca37"]
    assert "VERSION" not in header
    assert without_it.split()[:3] == ["a" * 12, "shop", "completed"]
    assert without_it.endswith("5 ms")


@pytest.mark.parametrize("status", STATUSES)
def test_eighty_columns_have_a_version_and_enough_of_a_long_name(status):
    long = replace(summary("a"), flow="f" * 43, status=status, ended_at_ms=BEGIN_MS + 36_000_000)
    line = told(long, width=80)[1]
    assert line.endswith("10h 00m")
    assert len(line) <= 80
    assert line.split()[2] == "3f4eca37"
    assert len(line.split()[1]) >= 12


def test_a_long_name_of_a_flow_leaves_when_a_run_began_and_what_it_took():
    long = replace(summary("a"), flow="f" * 43)
    assert told(long, width=80)[1].endswith("5 ms")
    assert "…" in told(long, width=80)[1]
    assert "…" in told(long, width=60)[1]
    assert told(long, width=60)[1].endswith("5 ms")
    assert "f" * 43 in told(long, width=200)[1]
