from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from engine.cli.live import bar, render
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, folded


def screen(events, *, width: int, height: int = 24) -> list[str]:
    view = render(
        folded(events), PLAN, now_ms=BEGIN_MS + 200, notes={"take": "taking"}, width=width, height=height
    )
    return shown(view, width=width)


def shown(view, *, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(view)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_table_shows_every_step_with_state_attempt_and_time():
    title, header, take, charge, pack, ship = screen(HALF_WAY, width=80)
    assert title == "shop@1a2b3c4d running 200 ms run1"
    assert header.split() == ["step", "state", "attempt", "took"]
    assert take.split() == ["✓", "take", "completed", "1", "4", "ms", "taking"]
    assert charge.split()[:6] == ["●", "charge", "running", "2", "90", "ms"]
    assert pack.split() == ["○", "pack", "waiting"]
    assert ship.split() == ["·", "ship", "not", "yet"]


@pytest.mark.parametrize("width", [20, 40, 50, 80, 200])
def test_every_line_leaves_room_for_an_echoed_ctrl_c(width):
    assert all(len(line) <= width - len("^C") - 1 for line in screen(FAILED, width=width))


def test_a_title_that_is_too_long_for_a_line_takes_more_of_them():
    assert screen(HALF_WAY, width=80)[0] == "shop@1a2b3c4d running 200 ms run1"
    assert screen(HALF_WAY, width=34)[:2] == ["shop@1a2b3c4d running 200 ms", "run1"]
    assert screen(HALF_WAY, width=20)[:3] == ["shop@1a2b3c4d", "running 200 ms", "run1"]


def test_short_names_of_steps_leave_the_header_whole():
    plan = replace(PLAN, steps={"a": replace(PLAN.steps["take"], name="a")}, entry="a", subscribers={})
    table = render(folded(HALF_WAY[:1]), plan, now_ms=BEGIN_MS, notes={}, width=40, height=24)
    assert shown(table, width=40)[1].split() == ["step", "state", "took"]


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
    view = render(run, PLAN, now_ms=BEGIN_MS + 200, notes={"pack": "x" * 500}, width=80, height=24)
    text = "\n".join(shown(view, width=80))
    assert "○ pack" in text
    assert "completed" in text
