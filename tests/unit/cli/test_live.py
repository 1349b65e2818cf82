from __future__ import annotations

import io

import pytest
from rich.console import Console

from engine.cli.live import bar, render
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, folded


def screen(events, *, width: int, height: int = 24) -> list[str]:
    table = render(
        folded(events), PLAN, now_ms=BEGIN_MS + 200, notes={"take": "taking"}, width=width, height=height
    )
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_table_shows_every_step_with_state_attempt_and_time():
    title, header, take, charge, pack, ship = screen(HALF_WAY, width=80)
    assert title == "shop@1a2b3c4d running 200 ms  run1"
    assert header.split() == ["step", "state", "attempt", "took"]
    assert take.split() == ["✓", "take", "completed", "1", "4", "ms", "taking"]
    assert charge.split()[:6] == ["●", "charge", "running", "2", "90", "ms"]
    assert pack.split() == ["○", "pack", "waiting"]
    assert ship.split() == ["·", "ship", "not", "yet"]


@pytest.mark.parametrize("width", [20, 40, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert all(len(line) <= width for line in screen(FAILED, width=width))


def test_a_narrow_terminal_keeps_step_state_and_time():
    text = "\n".join(screen(HALF_WAY, width=40))
    assert "completed" in text
    assert "4 ms" in text
    assert "attempt" not in text
    assert "taking" not in text


def test_a_low_terminal_says_how_many_steps_are_left_out():
    lines = screen(HALF_WAY, width=80, height=7)
    assert lines[-1] == "… 2 more"
    assert len(lines) <= 7


def test_a_bar_fills_with_the_progress():
    assert bar(0) == "──────────"
    assert bar(0.5) == "━━━━━─────"
    assert bar(7) == "━━━━━━━━━━"


def test_a_long_note_takes_only_what_the_other_columns_leave():
    run = folded(HALF_WAY)
    table = render(run, PLAN, now_ms=BEGIN_MS + 200, notes={"pack": "x" * 500}, width=80, height=24)
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(table)
    assert "○ pack" in out.getvalue()
    assert "completed" in out.getvalue()
