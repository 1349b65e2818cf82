"""The handler state of a run: changes are recorded with the attempt that made them, or not at all."""

from __future__ import annotations

import json

import pytest

from engine.store.log import HandlerState
from tests.support.books import contents
from tests.support.store import Driver, add, deployed, drop, hash_at, set_to


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, {"a": {"emits": ["one"]}, "b": {"subscribes": "one"}}))


@pytest.fixture
def two(driver):
    """Two leased `b`s of the run `r`."""
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    return driver.fetch(room=2)


def state_of(store, run_id="r"):
    return {key: json.loads(value) for key, value in hash_at(store, f"state:{run_id}").items()}


def test_changes_are_kept_in_order_each_as_an_event(store, driver, two):
    changes = [set_to("a", 1), set_to("b", "x"), drop("a"), set_to("b", {"y": None}), add("c", 2)]
    driver.commit(two[0], changes=changes)

    assert state_of(store) == {"b": {"y": None}, "c": 2}
    assert [event.data for event in driver.log("r") if event.type == "state"] == [
        {"op": "set", "key": "a", "value": 1, "scope": "run"},
        {"op": "set", "key": "b", "value": "x", "scope": "run"},
        {"op": "delete", "key": "a", "scope": "run"},
        {"op": "set", "key": "b", "value": {"y": None}, "scope": "run"},
        {"op": "incr", "key": "c", "by": 2, "scope": "run"},
    ]
    assert HandlerState(store).get("r", "b") == {"y": None}
    assert HandlerState(store).get("r", "a") is None


def test_sums_of_several_attempts_are_exact(store, driver, two):
    first, second = two
    driver.commit(first, changes=[add("n", 5), add("n", -2)])
    driver.commit(second, changes=[add("n", 10)])

    assert state_of(store) == {"n": 13}


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ([add("n", 1)], 1),
        ([add("n", -7)], -7),
        ([add("n", 0)], 0),
        ([set_to("n", 41), add("n", 1)], 42),
        ([set_to("n", 41), drop("n"), add("n", 1)], 1),
        ([add("n", 1), set_to("n", 10), add("n", 1), add("n", 1)], 12),
        ([add("n", 1), drop("n")], None),
        ([add("n", 0.1), add("n", 0.2)], 0.1 + 0.2),
        ([add("n", 0.1)] * 10, sum([0.1] * 10)),
        ([set_to("n", 1), add("n", 0.5)], 1.5),
        ([set_to("n", 1.5), add("n", 0.5)], 2.0),
        ([set_to("n", 1.5), add("n", 0.5), add("n", 1)], 3),
        ([set_to("n", -0.0), add("n", 0)], 0),
        ([set_to("n", 1e-7), add("n", 1e-7)], 2e-7),
        ([set_to("n", 1e-300), add("n", -1e-300)], 0.0),
        ([set_to("n", 1e10), add("n", 1)], 1e10 + 1),
        ([set_to("n", 999_999_999_999_998), add("n", 1)], 999_999_999_999_999),
        ([set_to("n", -999_999_999_999_998), add("n", -1)], -999_999_999_999_999),
        ([set_to("n", 123_456_789_012_345), add("n", 0.25)], 123_456_789_012_345.25),
    ],
)
def test_counting_up_gives_what_python_gives(store, driver, two, changes, value):
    assert driver.commit(two[0], changes=changes).word == "OK"

    assert state_of(store).get("n") == value


def test_counting_up_goes_on_from_what_another_attempt_has_left(store, driver, two):
    driver.commit(two[0], changes=[set_to("whole", 3), set_to("part", 0.5)])
    driver.commit(two[1], changes=[add("whole", 4), add("part", 0.25)])

    assert state_of(store) == {"whole": 7, "part": 0.75}


@pytest.mark.parametrize(
    "changes",
    [
        [set_to("n", "5"), add("n", 1)],
        [set_to("n", "text"), add("n", 1)],
        [set_to("n", None), add("n", 1)],
        [set_to("n", True), add("n", 1)],
        [set_to("n", [1]), add("n", 1)],
        [set_to("n", {}), add("n", 1)],
        [set_to("n", 999_999_999_999_999), add("n", 1)],
        [add("n", -1_000_000_000_000_000)],
        [add("n", 1e300)],
        [set_to("n", -(2**60) + 1), add("n", 2**60)],
        [set_to("n", 2**63), add("n", -1)],
        [set_to("n", 10**15 + 1), add("n", -(10**15))],
        [set_to("ok", 1), set_to("n", "x"), add("n", 1)],
    ],
)
def test_what_cannot_be_counted_up_is_refused_whole(store, driver, two, changes):
    was = contents(store)
    answer = driver.commit(two[0], changes=changes, emits=[])

    assert answer.word == "REFUSED"
    assert answer.rest == [b"state `n` cannot be counted up: it is not a number below 10^15"]
    assert contents(store) == was
    assert driver.fail(two[0], message="commit refused").word == "OK"


def test_a_value_that_another_attempt_has_made_uncountable_is_refused_too(store, driver, two):
    driver.commit(two[0], changes=[set_to("n", "text")])
    was = contents(store)

    assert driver.commit(two[1], changes=[add("n", 1)]).word == "REFUSED"
    assert contents(store) == was


def test_a_lost_attempt_changes_nothing(store, driver, two):
    driver.lose(two[0])
    driver.commit(two[0], changes=[set_to("n", 1)])
    assert state_of(store) == {}


def test_a_failed_attempt_changes_nothing(store, driver, two):
    driver.fail(two[0])
    assert state_of(store) == {}
    driver.commit(two[1], changes=[set_to("n", 1)])
    assert state_of(store) == {"n": 1}


def test_each_run_has_its_own(store, driver):
    for run_id in ("r1", "r2"):
        driver.start(run_id=run_id)
        driver.commit(driver.fetch_one(), changes=[set_to("run", run_id)])

    assert state_of(store, "r1") == {"run": "r1"}
    assert state_of(store, "r2") == {"run": "r2"}


@pytest.mark.parametrize("key", ["ü", "a b", "a:b", "@", '"', "*", "x" * 256, "\n"])
def test_any_text_is_a_key(store, driver, two, key):
    driver.commit(two[0], changes=[set_to(key, 1), add(key, 1)])
    assert state_of(store) == {key: 2}
