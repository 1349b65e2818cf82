"""The tests' own way of waiting."""

from __future__ import annotations

import pytest

from tests.support.wait import wait_until


def test_it_returns_what_the_predicate_answered():
    answers = iter([None, 0, "there"])

    assert wait_until(lambda: next(answers)) == "there"


def test_it_fails_with_what_was_seen():
    with pytest.raises(AssertionError, match="saw: 'half of it'"):
        wait_until(lambda: False, timeout_s=0, saw=lambda: "half of it")
