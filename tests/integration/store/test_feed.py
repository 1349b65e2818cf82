"""Reading the live feed: in order, without gaps that are not told."""

from __future__ import annotations

import pytest

from engine.events.codec import to_envelope
from engine.store.feed import Feed, reference_bytes
from engine.store.script import REFERENCE_BYTES
from engine.store.stream import BEGIN
from tests.support.store import CHAIN, Driver, deployed, forget_run, logged


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


@pytest.fixture
def feed(store):
    return Feed(store)


def trim(store, count):
    with store.talking() as client:
        client.xtrim(store.keys.events, maxlen=count, approximate=False)


def of(flow):
    return lambda event: event.flow_name == flow


def messages(events):
    return [event.data["message"] for event in events if event.type == "log"]


def test_what_follows_a_cursor_is_read_by_page_with_the_ids_of_the_logs(driver, feed):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), events=logged(*map(str, range(20))))
    cursor, seen = BEGIN, []
    while (reading := feed.read(after=cursor, count=3)).events:
        assert len(reading.events) <= 3
        assert not reading.is_reset
        seen += reading.events
        cursor = reading.cursor
    assert seen == driver.log("r")
    assert cursor == feed.end() == seen[-1].id


def test_a_feed_that_is_not_there_yet_begins_with_its_first_event(driver, feed):
    assert feed.end() == BEGIN
    assert feed.last(5, until=BEGIN) == []
    driver.start(run_id="r")
    reading = feed.read(after=BEGIN)
    assert [event.type for event in reading.events] == ["flow.start"]
    assert not reading.is_reset


def test_the_last_events_come_in_order_and_end_at_the_cursor(store, driver, feed):
    driver.start(run_id="r")
    Driver(store, deployed(store, CHAIN, flow="g"), name="v").start(run_id="other")
    driver.start(run_id="s")
    until = feed.end()
    driver.start(run_id="later")
    assert [event.run_id for event in feed.last(2, until=until)] == ["other", "s"]
    assert [event.run_id for event in feed.last(2, until=until, is_wanted=of("f"))] == ["r", "s"]
    assert [event.run_id for event in feed.last(9, until=until, is_wanted=of("g"))] == ["other"]
    assert feed.last(0, until=until) == []


def test_wanted_events_are_looked_for_among_so_many_only(monkeypatch, store, driver, feed):
    monkeypatch.setattr("engine.store.stream.PAGE", 2)
    monkeypatch.setattr("engine.store.stream._SEARCHED", 4)
    Driver(store, deployed(store, CHAIN, flow="g"), name="v").start(run_id="other")
    for _ in range(5):
        driver.start()
    assert feed.last(1, until=feed.end(), is_wanted=of("g")) == []


def test_a_reader_that_the_trimming_has_not_reached_misses_nothing(store, driver, feed):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), events=logged(*map(str, range(20))))
    cursor = feed.read(after=BEGIN, count=15).cursor
    trim(store, 15)
    reading = feed.read(after=cursor)
    assert messages(reading.events) == [str(number) for number in range(14, 20)]
    assert not reading.is_reset


def test_a_reader_that_falls_behind_the_trimming_is_told_and_goes_on(store, driver, feed):
    driver.start(run_id="r")
    cursor = feed.end()
    driver.commit(driver.fetch_one(), events=logged(*map(str, range(20))))
    trim(store, 5)
    reading = feed.read(after=cursor)
    assert reading.is_reset
    assert messages(reading.events) == ["17", "18", "19"]
    assert not feed.read(after=reading.cursor).is_reset


def test_a_feed_that_was_trimmed_to_nothing_is_told(store, driver, feed):
    driver.start(run_id="r")
    trim(store, 0)
    reading = feed.read(after=BEGIN)
    assert (reading.events, reading.is_reset) == ([], True)
    assert reading.cursor == feed.end() != BEGIN
    assert not feed.read(after=reading.cursor).is_reset


def test_a_reader_whose_cursor_is_ahead_of_the_feed_does_not_wait_for_hours(store, driver, feed):
    """As after a power cut, or where the feed was deleted and the clock is behind."""
    driver.start(run_id="r")
    ahead = f"{int(feed.end().split('-')[0]) + 3_600_000}-0"
    reading = feed.read(after=ahead)
    assert (reading.events, reading.is_reset) == ([], True)
    driver.start(run_id="s")
    assert [event.run_id for event in feed.read(after=reading.cursor).events] == ["s"]


def test_a_feed_that_was_deleted_is_told_and_followed(store, driver, feed):
    driver.start(run_id="r")
    cursor = feed.end()
    with store.talking() as client:
        client.delete(store.keys.events)
    reading = feed.read(after=cursor)
    assert (reading.events, reading.cursor, reading.is_reset) == ([], BEGIN, True)
    driver.start(run_id="s")
    assert [event.run_id for event in feed.read(after=reading.cursor).events] == ["s"]


def test_large_data_is_a_reference_which_the_log_has_whole(driver, feed):
    driver.start({"big": "x" * REFERENCE_BYTES}, run_id="r")
    [event] = feed.read(after=BEGIN).events
    size = reference_bytes(event)
    assert size is not None
    assert size > REFERENCE_BYTES
    assert to_envelope(event)["data"] == {"ref": size, "to": ["a#1"]}
    assert reference_bytes(driver.log("r")[0]) is None


def test_an_event_of_a_run_that_is_gone_still_stands_in_the_feed(store, driver, feed):
    driver.start(run_id="r")
    driver.fail(driver.fetch_one())
    forget_run(store, "r")
    assert [event.type for event in feed.read(after=BEGIN).events][-1] == "flow.failed"
