"""`announce` and the stream that it writes."""

from __future__ import annotations

import pytest

from engine.events.codec import encode_json, to_envelope
from engine.store.registry_feed import RegistryFeed, announce
from engine.store.stream import BEGIN
from tests.support.books import contents


@pytest.fixture
def feed(store):
    return RegistryFeed(store)


def tell(store, token, **data):
    announce(store, token=token, kind="registry.updated", data=encode_json(data))


def tokens_told(feed):
    return [event.data["n"] for event in feed.read(after=BEGIN).events]


def test_what_is_announced_is_read_as_it_was_said(store, feed):
    tell(store, "t", by="w", flows={})
    (event,) = feed.read(after=BEGIN).events
    assert to_envelope(event) == {
        "id": event.id,
        "ts": to_envelope(event)["ts"],
        "type": "registry.updated",
        "data": {"by": "w", "flows": {}},
    }
    assert feed.end() == event.id


def test_a_call_that_comes_twice_is_told_once(store, feed):
    tell(store, "t1", n=1)
    tell(store, "t2", n=2)
    was = contents(store)
    tell(store, "t1", n=1)
    assert contents(store) == was
    for number in range(3, 12):
        tell(store, f"t{number}", n=number)
    tell(store, "t1", n=1)
    assert tokens_told(feed) == list(range(1, 12)), "ten others came between"


def test_the_newest_thousand_are_kept(store, feed):
    for number in range(1_003):
        tell(store, f"t{number}", n=number)
    with store.talking() as client:
        assert client.xlen(store.keys.registry) == 1_000
    assert feed.read(after=BEGIN).is_reset
    assert tokens_told(feed)[0] == 3
