from __future__ import annotations

import pytest

from engine.cli.pace import Pace, about


def paced(*samples):
    pace = Pace()
    for at_ms, done in samples:
        pace.note(at_ms, done)
    return pace


def test_what_is_left_takes_as_long_as_what_was_done():
    assert paced((0, 0), (2_000, 40), (4_000, 100)).left_ms(200) == 8_000


def test_the_last_while_tells_the_pace_and_not_the_beginning():
    samples = [
        (at_ms, min(at_ms // 1_000, 20) + max(0, at_ms // 100 - 200)) for at_ms in range(0, 60_000, 500)
    ]
    assert paced(*samples).left_ms(100) == 10_000


@pytest.mark.parametrize(
    "samples",
    [[(0, 0)], [(0, 0), (2_900, 500)], [(0, 0), (10_000, 9)], [(0, 5), (10_000, 5)]],
    ids=["one look", "too short", "too few", "nothing done"],
)
def test_nothing_is_guessed_from_little(samples):
    assert paced(*samples).left_ms(100) is None


@pytest.mark.parametrize(
    ("left_ms", "words"),
    [
        (None, ""),
        (2_999, ""),
        (3_400, "about 3 s left"),
        (18_000, "about 20 s left"),
        (9_700, "about 10 s left"),
        (57_000, "about 55 s left"),
        (57_600, "about 1 min left"),
        (89_000, "about 1 min left"),
        (95_000, "about 2 min left"),
        (7_100_000, "about 118 min left"),
        (7_190_000, "about 2 h left"),
        (9_000_000, "about 2 h left"),
    ],
)
def test_a_guess_is_no_more_exact_than_it_is(left_ms, words):
    assert about(left_ms) == words
