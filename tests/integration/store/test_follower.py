"""The events of runs and those of the registry as one sequence."""

from __future__ import annotations

import itertools
import threading

import pytest

from engine.events.codec import encode_json
from engine.events.types import RegistryEvent, order_of
from engine.store.follower import Follower
from engine.store.registry_feed import announce
from tests.support.store import CHAIN, Driver, deployed, logged, server_ms
from tests.support.wait import wait_until

_tokens = itertools.count()


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def tell(store, **data):
    """An event of the registry, in a millisecond of its own: within one, ids do not order both streams."""
    pass_on(store)
    announce(store, token=f"t{next(_tokens)}", kind="registry.updated", data=encode_json({"by": "w", **data}))
    pass_on(store)


def pass_on(store):
    """Let the server's clock come to its next millisecond."""
    was_ms = server_ms(store)
    wait_until(lambda: server_ms(store) > was_ms)


def named(events):
    """What tells events apart: their run, or who announced them."""
    return [event.data["by"] if isinstance(event, RegistryEvent) else event.run_id for event in events]


def test_the_last_events_of_both_come_in_one_order(store, driver):
    driver.start(run_id="r1")
    tell(store, by="first")
    driver.start(run_id="r2")
    tell(store, by="second")
    follower = Follower(store)
    driver.start(run_id="later")
    tell(store, by="later")
    assert named(follower.last(9)) == ["r1", "first", "r2", "second"]
    assert named(follower.last(3)) == ["first", "r2", "second"]
    assert named(follower.last(2, is_wanted=lambda event: not isinstance(event, RegistryEvent))) == [
        "r1",
        "r2",
    ]
    assert follower.last(0) == []


def test_what_happens_from_now_on_comes_once(store, driver):
    driver.start(run_id="before")
    tell(store, by="before")
    follower = Follower(store)
    driver.start(run_id="r1")
    tell(store, by="first")
    driver.start(run_id="r2")
    followed = follower.wait(timeout_ms=1)
    assert (named(followed.events), followed.is_reset) == (["r1", "first", "r2"], False)
    assert follower.wait(timeout_ms=1) == ([], False)


def test_a_page_that_is_full_keeps_back_what_the_other_stream_has_later(store, driver):
    """Else an event of the registry would overtake those of runs that did not fit."""
    follower = Follower(store)
    driver.start(run_id="r1")
    driver.commit(driver.fetch_one(), events=logged(*map(str, range(20))))
    tell(store, by="first")
    driver.start(run_id="r2")
    tell(store, by="second")
    seen = []
    while events := follower.wait(timeout_ms=1, count=5).events:
        seen += events
    assert [order_of(event.id) for event in seen] == sorted(order_of(event.id) for event in seen)
    assert named(seen[-3:]) == ["first", "r2", "second"]
    assert len(seen) == len(driver.log("r1")) + 3


@pytest.mark.parametrize("what", ["run", "registry"])
def test_an_event_of_either_kind_wakes_who_waits(store, driver, what):
    follower = Follower(store)
    happens = driver.start if what == "run" else lambda: tell(store)
    thread = threading.Thread(target=happens)
    thread.start()
    followed = follower.wait(timeout_ms=4_000)
    thread.join()
    assert len(followed.events) == 1


def test_a_stream_that_was_trimmed_or_deleted_is_told_and_followed(store, driver):
    driver.start()
    tell(store)
    follower = Follower(store)
    driver.start()
    tell(store, by="lost")
    tell(store, by="kept")
    with store.talking() as client:
        client.xtrim(store.keys.registry, maxlen=1, approximate=False)
    followed = follower.wait(timeout_ms=1)
    assert (len(followed.events), followed.is_reset) == (2, True)
    with store.talking() as client:
        client.delete(store.keys.events)
    assert follower.wait(timeout_ms=4_000) == ([], True)
    driver.start(run_id="r")
    followed = follower.wait(timeout_ms=1)
    assert (named(followed.events), followed.is_reset) == (["r"], False)


def test_waiting_in_vain_answers_nothing(store, driver):
    driver.start()
    assert Follower(store).wait(timeout_ms=1) == ([], False)
