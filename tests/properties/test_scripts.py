"""The real scripts beside a model: any order of calls, and calls that come twice, late or from the dead."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given

from engine.validate.graph import check_graph
from engine.validate.queues import check_queues
from tests.properties.machine import COUNTS
from tests.properties.walk import walk
from tests.support.store import declared
from tests.support.strategies import declarations

#: Examples of fifty steps; `python -m tests.properties.walk` makes as many as one likes.
EXAMPLES = 60


# Where there is a finding, it is made small before it is told.
@pytest.mark.timeout(900)
def test_whatever_comes_in_whatever_order_the_books_agree_and_every_run_ends(server):
    walk(server.url, examples=EXAMPLES)


def test_the_same_seed_makes_the_same_steps(server):
    told = []
    for _ in range(2):
        before = Counter(COUNTS)
        walk(server.url, examples=3, number=1)
        told.append(COUNTS - before)

    assert told[0] == told[1]
    assert told[0]["jobs"] > 0


@given(declarations())
def test_drawn_flows_are_sound(steps):
    flow = declared(steps)

    assert [it for it in (*check_graph(flow), *check_queues([flow])) if it.is_error] == []
