"""Starting runs: what is not fit to be recorded is refused before anything is written."""

from __future__ import annotations

import pytest

from engine.control.start import start
from engine.errors import PayloadError, VersionNotFound
from engine.store.log import EventLog
from tests.support.books import contents
from tests.support.store import CHAIN, deployed, plan_from


@pytest.fixture
def plan(store):
    return deployed(store, CHAIN, labels={"team": "shop"})


def test_a_run_gets_an_id_that_orders_it(store, plan):
    first = start(store, plan, input=1, limit_bytes=100)
    second = start(store, plan, input=1, limit_bytes=100)

    assert first.is_new
    assert first.run_id != second.run_id
    assert len(first.run_id) == 20


def test_its_first_event_says_all_about_it(store, plan):
    start(store, plan, input={"x": 1}, limit_bytes=100, run_id="r", key="k", trigger="test")
    (event,) = EventLog(store).read("r")

    assert event.data == {
        "version": plan.version,
        "trigger": "test",
        "labels": {"team": "shop"},
        "key": {"name": "k", "ttl": 86_400_000},
        "input": {"x": 1},
        "to": ["a#1"],
    }


@pytest.mark.parametrize("run_id", ["", "a b", "a/b", "a:b", "ü", "x" * 65, "a\n", "a#1"])
def test_an_id_that_cannot_be_part_of_a_key_is_refused(store, plan, run_id):
    was = contents(store)
    with pytest.raises(PayloadError, match="is no run id: use 1 to 64 letters, digits, `_` or `-`"):
        start(store, plan, input=1, limit_bytes=100, run_id=run_id)
    assert contents(store) == was


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 257, "\n"])
def test_a_key_that_nobody_can_write_down_is_refused(store, plan, key):
    with pytest.raises(PayloadError, match="is no key: use 1 to 256 printable characters without spaces"):
        start(store, plan, input=1, limit_bytes=100, key=key)


@pytest.mark.parametrize("key", ["order:17", "a/b#c{d}", '"', "x" * 256])
def test_any_other_key_does(store, plan, key):
    assert start(store, plan, input=1, limit_bytes=100, key=key).is_new
    assert not start(store, plan, input=1, limit_bytes=100, key=key).is_new


@pytest.mark.parametrize("value", [object(), {1}, float("nan"), [float("inf")], "\ud800", {1: 2}, 2**70])
def test_an_input_that_is_not_json_is_refused(store, plan, value):
    was = contents(store)
    with pytest.raises(PayloadError):
        start(store, plan, input=value, limit_bytes=100)
    assert contents(store) == was


def test_an_input_above_the_limit_is_refused(store, plan):
    assert start(store, plan, input="x" * 98, limit_bytes=100).is_new
    was = contents(store)
    with pytest.raises(PayloadError, match="the input has 101 bytes, the limit is 100: raise `limits"):
        start(store, plan, input="x" * 99, limit_bytes=100)
    assert contents(store) == was


def test_a_plan_that_was_never_deployed_starts_nothing(store):
    with pytest.raises(VersionNotFound, match="deploy it first"):
        start(store, plan_from({"a": {}}), input=1, limit_bytes=100)
