from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.frame import Screen, bar, frame
from engine.cli.output import NO_LIMIT
from engine.cli.rows import Board
from engine.cli.said import LastSaid
from tests.support.store import plan_from
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, event
from tests.unit.cli.wide import WIDE, counted, fan_out


def screen(events, plan=PLAN, *, width=80, height=24, notes=None, guesses=None) -> list[str]:
    run, tally = counted(events)
    said = LastSaid()
    for one in events:
        said.add(one)
    rows = Board(plan).rows(run, tally, now_ms=BEGIN_MS + 200, notes=notes or {})
    lines = frame(
        run,
        rows,
        said,
        Screen(width, height, colour=False),
        now_ms=BEGIN_MS + 200,
        guesses=guesses or {},
        see_all="flowengine logs run1",
    )
    return [line.plain.rstrip() for line in lines]


def test_the_table_shows_every_step_with_state_attempt_and_time():
    title, header, take, charge, pack, ship, *_ = screen(HALF_WAY, notes={"take": "taking"})
    assert title == "shop@1a2b3c4d running 200 ms run1"
    assert header.split() == ["step", "state", "attempt", "took"]
    assert take.split() == ["✓", "take", "completed", "1", "4", "ms", "taking"]
    assert charge.split()[:6] == ["●", "charge", "running", "2", "90", "ms"]
    assert pack.split() == ["○", "pack", "waiting"]
    assert ship.split() == ["·", "ship", "not", "yet"]


def test_attempts_are_shown_only_where_something_is_tried_again():
    assert screen(HALF_WAY[:4])[1].split() == ["step", "state", "took"]


def test_a_fan_out_has_a_bar_with_counts_and_its_collect_waits():
    assert screen(fan_out(640, done=312, running=8), WIDE)[1:] == [
        "  step  state                       took",
        "✓ find  completed                   1 ms",
        "● work  ━━━━━─────── 312 of 640   196 ms  8 running, 320 waiting",
        "○ add   collects done                     312 so far",
    ]


def test_a_bar_leaves_its_counts_where_they_are_while_they_grow():
    few = screen(fan_out(10_000, done=9), WIDE, width=120)[3]
    many = screen(fan_out(10_000, done=5_000), WIDE, width=120)[3]
    assert few.index(" of 10,000") == many.index(" of 10,000")


def test_what_is_announced_counts_as_waiting():
    assert "5 of 10,000" in screen(fan_out(200, done=5, announced=10_000), WIDE)[3]
    assert "9,995 waiting" in screen(fan_out(200, done=5, announced=10_000), WIDE)[3]


def test_a_total_that_may_grow_says_so():
    events = [one for one in fan_out(30, done=2) if one.type != "step.completed" or one.step_name != "find"]
    assert " 2 of 30+" in screen(events, WIDE)[3]


@pytest.mark.parametrize("total", [1, 2, 30])
def test_no_bar_is_full_while_its_total_may_grow(total):
    events = fan_out(total, done=total)
    line = screen([one for one in events if one.step_id != "find#1" or one.type == "emit"], WIDE)[3]
    assert line.startswith("● work")
    assert "━─" in line
    assert f"{total} of {total}+" in line


def test_a_guess_comes_before_the_counts():
    line = screen(fan_out(640, done=312), WIDE, guesses={"work": "about 8 s left"})[3]
    assert line.endswith("196 ms  about 8 s left, 0 running, 328 wai…")


def test_a_fan_out_in_which_one_failed_says_so_first():
    error = {"type": "ValueError", "message": "no"}
    events = [*fan_out(9, done=3, running=2), event("step.failed", 1500, "work#4", 1, error=error)]
    line = screen(events, WIDE, width=120)[3]
    assert line.startswith("✗ work")
    assert line.endswith("1 failed, 1 running, 4 waiting; ValueError: no")
    assert "4 of 9, 1 failed" in screen(events, WIDE, width=59)[3]


def test_a_join_says_all_that_it_waits_for_where_the_line_has_room():
    names = ["order.checked", "order.packed", "order.paid"]
    plan = plan_from(
        {
            "take": {"emits": names},
            "ship": {"subscribes": {"all": names}},
        }
    )
    events = [
        event("flow.start", 0, version=plan.version, to=["take#1"]),
        event("step.started", 1, "take#1", 1, worker="w1"),
    ]
    _, header, take, ship = screen(events, plan)
    assert header == "  step  state            took"
    assert take == "● take  running        199 ms"
    assert ship == "· ship  waits for order.checked, order.packed, order.paid"
    assert screen(events, plan, width=50)[3] == "· ship  waits for order.checked, order.packed,…"


def test_a_fan_out_that_is_over_is_told_in_words():
    assert screen(fan_out(640, done=640), WIDE)[3].split()[:4] == ["✓", "work", "640", "completed"]


@pytest.mark.parametrize("events", [FAILED, fan_out(10_000, done=999, running=8)], ids=["few", "many"])
@pytest.mark.parametrize("width", [20, 40, 50, 60, 80, 200])
def test_every_line_leaves_room_for_an_echoed_ctrl_c(events, width):
    plan = PLAN if events is FAILED else WIDE
    assert all(len(line) <= width - len("^C") - 1 for line in screen(events, plan, width=width))


def test_a_title_that_is_too_long_for_a_line_takes_more_of_them():
    assert screen(HALF_WAY, width=80)[0] == "shop@1a2b3c4d running 200 ms run1"
    assert screen(HALF_WAY, width=34)[:2] == ["shop@1a2b3c4d running 200 ms", "run1"]
    assert screen(HALF_WAY, width=20)[:3] == ["shop@1a2b3c4d", "running 200 ms", "run1"]


LONG = ["notify_customer_by_electronic_mail", "notify_customer_by_electronic_text"]


def long_names():
    """A run of steps with long names, two of which say something."""
    plan = plan_from({"start": {"emits": ["go"]}, **{name: {"subscribes": "go"} for name in LONG}})
    ids = [f"{name}#1" for name in LONG]
    events = [
        event("flow.start", 0, version=plan.version, to=["start#1"]),
        event("emit", 1, "start#1", 1, event="go", to=ids),
        event("step.completed", 2, "start#1", 1, result=None, duration=1),
        *(event("log", 3, step_id, 1, level="info", message="told") for step_id in ids),
    ]
    return events, plan


def test_names_of_steps_get_what_the_other_columns_leave():
    events, plan = long_names()
    assert [line.split()[1] for line in screen(events, plan)[3:5]] == LONG


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_names_that_must_be_cut_stay_different(width):
    events, plan = long_names()
    failed = event("step.failed", 4, f"{LONG[0]}#1", 1, error={"type": "ValueError", "message": "no " * 99})
    lines = screen([*events, failed], plan, width=width)
    [header] = [number for number, line in enumerate(lines) if line.startswith("  step")]
    first, second = (line[2:].split()[0] for line in lines[header + 2 : header + 4])
    assert first != second
    assert first[:3] == second[:3] == "not"


def test_a_long_name_leaves_the_counts_of_a_fan_out_whole():
    plan = plan_from({"find": {"emits": ["found"]}, "w" * 40: {"subscribes": "found"}})
    events = [
        event("flow.start", 0, version=plan.version, to=["find#1"]),
        event("emit", 1, "find#1", 1, event="found", to=[f"{'w' * 40}#{n}" for n in range(1, 100)]),
    ]
    assert screen(events, plan)[3].endswith("0 running, 99 waiting")


def test_names_before_what_is_said_stay_different():
    events, plan = long_names()
    assert [line.split()[1:] for line in screen(events, plan)[-2:]] == [
        ["notify_custo…ronic_mail#1", "told"],
        ["notify_custo…ronic_text#1", "told"],
    ]


def test_short_names_of_steps_leave_the_header_whole():
    plan = replace(PLAN, steps={"a": replace(PLAN.steps["take"], name="a")}, entry="a", subscribers={})
    assert screen(HALF_WAY[:1], plan, width=40)[1].split() == ["step", "state", "took"]


def test_a_narrow_terminal_keeps_step_state_and_time():
    lines = screen(HALF_WAY, width=40, notes={"take": "far"})[:6]
    assert "completed" in lines[2]
    assert "4 ms" in lines[2]
    assert "attempt" not in lines[1]
    assert "far" not in "\n".join(lines)
    wide = "\n".join(screen(fan_out(10_000, done=312), WIDE, width=40))
    assert "312 of 10,000" in wide


@pytest.mark.parametrize("width", [40, 45, 55, 60, 63])
def test_counts_of_a_fan_out_that_failed_leave_the_time_whole(width):
    error = {"type": "ValueError", "message": "no"}
    events = [
        *fan_out(40, done=9),
        event("step.failed", 1500, "work#10", 1, error=error),
        event("flow.failed", 1502, error=error, step="work", duration=1502),
    ]
    line = screen(events, WIDE, width=width)[3]
    assert line.startswith("✗ work  1 failed, 30 ")
    assert "  1.5 s" in line


def test_terminals_of_60_columns_have_notes_and_narrower_ones_have_not():
    noted = {"take": "half of it"}
    assert screen(HALF_WAY[:6], width=60, notes=noted)[2].endswith("half of it")
    assert not screen(HALF_WAY[:6], width=59, notes=noted)[2].endswith("half of it")


def test_a_note_that_would_be_hardly_a_word_is_left_out():
    error = {"type": "ValueError", "message": "no"}
    tried = [
        event("step.retry", 1400, "work#10", 1, error=error, delay=50),
        event("step.started", 1450, "work#10", 2, worker="w1"),
        event("step.failed", 1500, "work#10", 2, error=error),
    ]
    line = screen([*fan_out(640, done=9, running=4), *tried], WIDE, width=60)[3]
    assert line.endswith("10 of 640, 1 failed        2   196 ms")


def test_a_low_terminal_says_how_many_steps_are_left_out():
    lines = screen([HALF_WAY[0], *HALF_WAY[3:]], height=4)
    assert lines[-1] == "… 3 steps more"
    assert len(lines) == 4


@pytest.mark.parametrize("height", range(4, 30))
def test_a_frame_is_never_taller_than_its_terminal(height):
    events = [*HALF_WAY, *[event("log", 150, "charge#1", 2, level="info", message="m") for _ in range(50)]]
    assert len(screen(events, height=height)) <= height


def test_what_was_said_stands_below_in_few_lines():
    said = [event("log", n, "take#1", 1, level="info", message=f"said {n}") for n in range(100)]
    lines = screen([HALF_WAY[0], *said])
    assert lines[6] == "… 92 earlier lines"
    assert [line.split()[-1] for line in lines[7:]] == [str(n) for n in range(92, 100)]
    assert all(line.split()[1] == "take#1" for line in lines[7:])


def test_the_last_frame_is_whole_and_says_where_the_rest_is():
    said = [event("log", n, "take#1", 1, level="info", message="said " * 40) for n in range(100)]
    lines = screen([HALF_WAY[0], *said], height=NO_LIMIT)
    assert lines[6] == "… 80 earlier lines: flowengine logs run1"
    assert len(lines) == 27
    assert lines[-1].endswith(("said " * 40).rstrip())


def test_a_bar_is_full_only_when_all_is_done():
    assert bar(0) == "──────────"
    assert bar(0.5) == "━━━━━─────"
    assert bar(0.999) == "━━━━━━━━━─"
    assert bar(7, 5) == "━━━━━"


def test_a_long_note_takes_only_what_the_other_columns_leave():
    line = screen(HALF_WAY, notes={"take": "x" * 500})[2]
    assert line.startswith("✓ take    completed")
    assert line.endswith("x…")
    assert len(line) == 77
