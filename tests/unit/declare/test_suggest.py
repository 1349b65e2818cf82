"""Did you mean."""

from __future__ import annotations

import pytest

from engine.declare.suggest import nearest, osa_distance


@pytest.mark.parametrize(
    ("word", "candidates", "expected"),
    [
        ("order.received", ["order.recieved", "order.paid"], "order.recieved"),
        ("flo", ["flow", "steps"], "flow"),
        ("Flow", ["flow"], "flow"),
        ("time_out", ["timeout"], "timeout"),
        ("sunscribes", ["subscribes"], "subscribes"),
        ("emit", ["emits"], "emits"),
        ("when", ["then", "role"], "then"),
        ("cat", ["dog"], None),
        ("x", ["y"], None),
        ("flow", ["flow"], None),
        ("ship", ["shop", "chip"], None),
        ("", ["a"], None),
    ],
)
def test_only_what_is_sure_is_suggested(word, candidates, expected):
    assert nearest(word, candidates) == expected


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("abcd", "xbc", 2), ("ca", "abc", 3)],
)
def test_neighbours_that_are_swapped_are_one_mistake(left, right, distance):
    assert osa_distance(left, right, limit=9) == distance
    assert osa_distance(right, left, limit=9) == distance


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_beyond_its_limit_a_distance_is_only_larger(limit):
    words = ["", "a", "ab", "ba", "abc", "bac", "cab", "abcd", "badc", "dcba", "xaxbx"]
    for left in words:
        for right in words:
            exact, bounded = osa_distance(left, right, limit=99), osa_distance(left, right, limit=limit)
            assert bounded == exact if exact <= limit else bounded > limit
