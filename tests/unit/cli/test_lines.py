from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli import lines
from engine.cli.lines import event_line, feed_line, progress_of, said_line, short_run_id, what_happened
from engine.events.types import ALL_TYPES
from tests.unit.cli.sample import FAILED, HALF_WAY, event


def words(number: int) -> str:
    return what_happened(FAILED[number])


def test_the_events_of_a_run_read_as_sentences():
    assert words(0) == 'shop@1a2b3c4d run run1, input {"n":1}'
    assert words(1) == "attempt 1"
    assert words(2) == "info    taking"
    assert words(3) == "order.taken → charge#1, pack#1"
    assert words(4) == '4 ms, result {"id":7}'
    assert words(6) == "ValueError: no card; attempt 2 of 3 in 100 ms"
    assert words(8) == "ValueError: no card"
    assert words(9) == "in step `charge` after 121 ms: ValueError: no card"


@pytest.mark.parametrize("kind", sorted(ALL_TYPES))
def test_every_type_can_be_told_even_without_data(kind):
    assert kind in event_line(event(kind, 0, "take#1", 1), who_width=8, colour=False)


def test_a_type_of_a_newer_release_is_told_with_its_data():
    assert what_happened(event("step.paused", 0, "take#1", 1, why="x")) == '{"why":"x"}'


def test_a_message_of_several_lines_stays_one_line():
    line = event_line(event("log", 0, "take#1", 1, level="error", message="a\nb"), who_width=8, colour=False)
    assert "\n" not in line
    assert line.endswith("error   a\\nb")


def test_an_event_that_makes_nothing_due_says_no_more_than_its_name():
    assert what_happened(event("emit", 0, "take#1", 1, event="order.lost", to=[])) == "order.lost"


def test_an_event_of_a_wide_fan_out_has_its_number():
    said = event("emit", 0, "list#1", 1, event="module.found", k=1_250, to=["analyse#1250"])
    assert what_happened(said) == "module.found (1,250) → analyse#1250"


def test_a_settlement_names_what_it_set_off_and_how_much_follows():
    done = event("step.completed", 0, "analyse#9", 1, duration=4, result=3, to=["report#1"])
    assert what_happened(done) == "4 ms, result 3 → report#1"
    wide = event("step.completed", 0, "list#1", 1, duration=4, emits=10_000)
    assert what_happened(wide) == "4 ms, emits 10,000 events, which follow"
    skipped = event("step.skipped", 0, "analyse#9", 1, reason="empty", to=["report#1"])
    assert what_happened(skipped) == "empty → report#1"
    failed = event(
        "step.failed", 0, "analyse#9", 1, error={"type": "ValueError", "message": "no"}, to=["a#1", "b#1"]
    )
    assert what_happened(failed) == "ValueError: no → a#1, b#1"


def test_a_join_that_was_not_filled_says_what_it_missed():
    error = {"type": "JoinIncomplete", "message": "join `pack` has `a` and misses `b`"}
    failed = event("flow.failed", 0, error=error, step="pack", duration=7)
    assert (
        what_happened(failed)
        == "in step `pack` after 7 ms: JoinIncomplete: join `pack` has `a` and misses `b`"
    )


def test_among_other_runs_a_line_has_the_run_and_the_flow():
    one = replace(HALF_WAY[1], run_id="1m85wq283tz5nr9m1ex7")
    line = feed_line(one, words="attempt 1", who_width=14, colour=False, is_narrow=False)
    assert line[14:] == "1m85wq283tz5  step.started     shop.take#1     attempt 1"
    narrow = feed_line(one, words="attempt 1", who_width=14, colour=False, is_narrow=True)
    assert narrow[10:] == "1m85wq283tz5  step.started     shop.take#1  attempt 1"


def test_an_id_that_somebody_chose_is_not_cut():
    assert short_run_id("1m85wq283tz5nr9m1ex7") == "1m85wq283tz5"
    assert short_run_id("order-2026-11-24-17") == "order-2026-11-24-17"


def test_changes_of_state_are_told():
    assert what_happened(event("state", 0, op="set", key="n", value=3)) == "n = 3"
    assert what_happened(event("state", 0, op="incr", key="n", by=2)) == "n += 2"
    assert what_happened(event("state", 0, op="delete", key="n")) == "n deleted"


def test_a_long_result_is_cut():
    long = event("step.completed", 0, "take#1", 1, result="x" * 5_000, duration=1)
    assert len(what_happened(long)) < 200


def test_columns_line_up():
    lines = [event_line(one, who_width=8, colour=False) for one in HALF_WAY[1:3]]
    assert lines[0].index("take#1") == lines[1].index("take#1")


def test_progress_is_told_in_percent():
    said = event("log", 0, "take#1", 1, level="info", message="5 of 20", data={"progress": 0.25})
    assert what_happened(said) == "info    5 of 20 (25%)"
    said = event("log", 0, "take#1", 1, level="info", message="25%", data={"progress": 0.25})
    assert what_happened(said) == "info    25%"


@pytest.mark.parametrize(
    ("level", "data", "told"),
    [
        ("info", {"progress": 50}, 'rows imported {"progress":50}'),
        ("info", {"progress": -1}, 'rows imported {"progress":-1}'),
        ("info", {"progress": True}, 'rows imported {"progress":true}'),
        ("info", {"progress": 0.5, "of": 9}, 'rows imported {"progress":0.5,"of":9}'),
        ("warning", {"progress": 0.5}, 'rows imported {"progress":0.5}'),
        ("info", {"progress": 1}, "rows imported (100%)"),
    ],
)
def test_only_a_line_that_says_no_more_than_a_fraction_is_progress(level, data, told):
    said = event("log", 0, "take#1", 1, level=level, message="rows imported", data=data)
    assert what_happened(said) == f"{level:<7} {told}"
    assert (progress_of(said) is None) == ("%" not in told)


def test_what_a_step_says_is_shorter_where_a_table_stands_below_it():
    assert said_line(HALF_WAY[2], who="take#1", colour=False).split()[1:] == ["take#1", "taking"]
    warned = event("log", 0, "take#1", 1, level="warning", message="late")
    assert said_line(warned, who="take#1", colour=False).split()[1:] == ["take#1", "warning", "late"]


def test_a_loss_does_not_promise_what_only_the_next_event_says():
    assert what_happened(event("step.lost", 0, "take#1", 2)) == "attempt 2 was lost with its worker"


def test_of_a_large_value_only_the_beginning_is_looked_at(monkeypatch):
    looked_at = []

    def one_line(text):
        looked_at.append(len(text))
        return text

    monkeypatch.setattr(lines, "one_line", one_line)
    assert lines.short_value({"b": "é" * 900_000}).endswith("é…")
    assert sum(looked_at) < 1_000
