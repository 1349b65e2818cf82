from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.scale import CUT_COLUMNS, Scale, Stretch, pauses

HOUR_MS = 3_600_000

times = st.integers(0, 3 * HOUR_MS)
stretches = st.lists(st.builds(lambda a, b: Stretch(min(a, b), max(a, b) + 1), times, times), max_size=8)


def test_without_long_pauses_columns_are_proportional():
    scale = Scale(Stretch(0, 1_000), [Stretch(0, 1_000)], columns=100)
    assert [scale.column(ms) for ms in (0, 500, 999, 1_000)] == [0, 50, 99, 99]
    assert scale.cuts == []


def test_what_lies_outside_is_at_the_edge():
    scale = Scale(Stretch(100, 200), [], columns=50)
    assert (scale.column(0), scale.column(999)) == (0, 49)


def test_a_long_pause_is_left_out():
    scale = Scale(
        Stretch(0, HOUR_MS + 200), [Stretch(0, 100), Stretch(HOUR_MS + 100, HOUR_MS + 200)], columns=42
    )
    assert scale.cuts == [Stretch(100, HOUR_MS + 100)]
    assert scale.cut_columns() == [20, 21]
    assert scale.column(99) == 19
    assert scale.column(HOUR_MS + 100) == 22


def test_growing_pauses_between_attempts_are_each_left_out():
    busy = [Stretch(start, start + 50) for start in (0, 10_050, 30_100, 70_150)]
    scale = Scale(Stretch(0, 70_200), busy, columns=60)
    assert [cut.length_ms for cut in scale.cuts] == [10_000, 20_000, 40_000]


@pytest.mark.parametrize("busy", [[], [Stretch(0, 900)]])
def test_short_pauses_and_a_run_in_which_nothing_ran_are_shown_whole(busy):
    assert Scale(Stretch(0, HOUR_MS if not busy else 1_800), busy, columns=40).cuts == []


def test_pauses_are_what_no_span_covers():
    assert pauses(Stretch(0, 10), [Stretch(4, 6), Stretch(1, 5)]) == [Stretch(0, 1), Stretch(6, 10)]
    assert pauses(Stretch(0, 10), [Stretch(0, 10)]) == []


@given(stretches, st.integers(20, 120), st.lists(times, min_size=2, max_size=5))
def test_later_is_never_further_left(busy, columns, moments):
    scale = Scale(Stretch(0, 3 * HOUR_MS + 1), busy, columns=columns)
    places = [scale.column(ms) for ms in sorted(moments)]
    assert places == sorted(places)
    assert all(0 <= place < columns for place in places)
    assert len(scale.cut_columns()) == CUT_COLUMNS * len(scale.cuts)
    assert all(column < columns for column in scale.cut_columns())
