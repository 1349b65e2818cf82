from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.output import format_date
from engine.cli.runs import lines
from engine.events.state import STATUSES
from engine.store.index import RunSummary
from tests.unit.cli.sample import BEGIN_MS

ERROR = {"type": "ValueError", "message": "no card"}


def summary(name, *, error=None):
    status = "failed" if error else "completed"
    return RunSummary(name * 20, "shop", "v", status, BEGIN_MS, BEGIN_MS + 5, error, error and "charge")


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
    [_, line] = told(summary("a"), width=64)
    assert line.split()[0] == "a" * 20
    assert format_date(BEGIN_MS) in line


def test_a_long_name_of_a_flow_leaves_when_a_run_began_and_what_it_took():
    long = replace(summary("a"), flow="f" * 43)
    assert told(long, width=80)[1].endswith("5 ms")
    assert "…" in told(long, width=80)[1]
    assert "…" in told(long, width=60)[1]
    assert told(long, width=60)[1].endswith("5 ms")
    assert "f" * 43 in told(long, width=200)[1]
