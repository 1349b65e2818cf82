"""The real scripts beside a model: any order of calls, and calls that come twice, late or from the dead."""

from __future__ import annotations

import pytest

from tests.properties.walk import walk

#: Examples of fifty steps; `python -m tests.properties.walk` makes as many as one likes.
EXAMPLES = 20


# Where there is a finding, it is made small before it is told.
@pytest.mark.timeout(900)
def test_whatever_comes_in_whatever_order_the_books_agree_and_every_run_ends(server):
    walk(server.url, examples=EXAMPLES)
