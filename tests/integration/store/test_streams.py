"""One event, three places: the run's log, the feed under the same id, and the flow's channel."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from engine.events.codec import decode_entries, format_ts, to_envelope
from engine.store.script import REFERENCE_BYTES
from tests.support.store import (
    CHAIN,
    Driver,
    add,
    deployed,
    drop,
    logged,
    server_ms,
    set_to,
    started,
)


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


@pytest.fixture
def channel(store, driver):
    """What was published on the flow's channel since the test began, by one call."""
    with store.talking() as client:
        listener = client.pubsub()
        listener.psubscribe(f"{store.keys.prefix}:events:*")
        assert listener.get_message(timeout=5)["type"] == "psubscribe"

        def heard():
            messages = []
            while message := listener.get_message(timeout=0.05):
                messages.append(message)
            return messages

        yield heard
        listener.close()


def feed(store):
    with store.talking() as client:
        return decode_entries(client.xrange(store.keys.events))


def every_kind_of_event(driver):
    """A run that fails, and one that completes, with every kind of event that this release writes."""
    driver.start({"text": 'quote " ü \u2028 \\'}, run_id="r1", key="k")
    driver.release(driver.fetch_one(), unroutable=b'{"worker":"w","release":"1","reason":"x"}')
    driver.lose(driver.fetch_one())
    driver.commit(
        driver.fetch_one(),
        events=[started(), *logged("line", "ü")],
        changes=[set_to("a", {"b": [1]}), add("n", 1.5), drop("a")],
        emits=[("one", {"x": "y,z"}), ("one", None)],
        result=[1],
    )
    first, second = driver.fetch(room=2)
    driver.commit(first, kind="skipped")
    driver.fail(second)
    driver.start(run_id="r2")
    driver.commit(driver.fetch_one())


def test_the_feed_has_the_events_of_all_runs_with_the_ids_of_their_logs(store, driver):
    every_kind_of_event(driver)
    events = driver.log("r1") + driver.log("r2")

    assert feed(store) == events
    assert {event.type for event in events} == {
        "flow.start",
        "step.unroutable",
        "step.lost",
        "step.started",
        "log",
        "state",
        "emit",
        "step.completed",
        "step.skipped",
        "step.failed",
        "flow.failed",
        "flow.completed",
    }


def test_the_channel_says_each_event_as_people_see_it(store, driver, channel):
    every_kind_of_event(driver)
    heard = channel()

    assert {message["channel"].decode() for message in heard} == {f"{store.keys.prefix}:events:f"}
    said = [json.loads(message["data"]) for message in heard]
    assert said == [to_envelope(event) for event in feed(store)]
    assert [list(envelope)[:5] for envelope in said] == [["id", "ts", "type", "runId", "flowName"]] * len(
        said
    )


def test_the_channel_says_of_an_emission_that_nobody_hears_that_it_makes_nothing_due(driver, channel):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("unheard", 1)])
    said = [json.loads(message["data"]) for message in channel()]

    assert [it["data"]["to"] for it in said if it["type"] == "emit"] == [[]]
    assert said == [to_envelope(event) for event in driver.log("r")]


def test_large_data_is_referred_to_in_the_feed_and_on_the_channel(store, driver, channel):
    text = "x" * REFERENCE_BYTES
    driver.start(text, run_id="r")
    driver.commit(
        driver.fetch_one(),
        emits=[("one", text)],
        changes=[set_to("a", text)],
        events=logged(text),
        result=text,
    )
    log = driver.log("r")
    seen = feed(store)

    assert [event.id for event in seen] == [event.id for event in log]
    assert log[0].data["input"] == text
    for short, full in zip(seen, log, strict=True):
        assert set(short.data) - {"to"} == {"ref"}
        assert short.data["ref"] > REFERENCE_BYTES
        assert short.data.get("to") == full.data.get("to")
    assert [json.loads(message["data"]) for message in channel()] == [to_envelope(event) for event in seen]


@pytest.mark.parametrize("extra", [0, 1])
def test_exactly_what_is_above_the_limit_is_referred_to(store, driver, extra):
    driver.start(run_id="r")
    job = driver.fetch_one()
    (probe,) = logged("")
    driver.report(job, logged("x" * (REFERENCE_BYTES - len(probe.data) + extra)))

    assert ("ref" in feed(store)[-1].data) == (extra == 1)
    assert "message" in driver.log("r")[-1].data


#: Days at the edges of the calendar, before the engine's time on purpose: its arithmetic knows no "now".
DAYS = [
    (1900, 2, 28),
    (1900, 3, 1),
    (1969, 12, 31),
    (1970, 1, 1),
    (1972, 2, 29),
    (1999, 12, 31),
    (2000, 2, 29),
    (2000, 3, 1),
    (2001, 2, 28),
    (2020, 2, 29),
    (2023, 12, 31),
    (2024, 1, 1),
    (2024, 2, 28),
    (2024, 2, 29),
    (2024, 3, 1),
    (2024, 12, 31),
    (2025, 2, 28),
    (2025, 3, 1),
]


def test_times_are_written_alike_in_both_languages(store, driver, channel):
    base = [int(datetime(*day, tzinfo=UTC).timestamp()) * 1000 for day in DAYS]
    times = [at + more for at in base for more in (0, 1, 999, 45_296_007, 86_399_999)]
    times += [k * 86_400_000 * 31 + k for k in range(500)]
    driver.start(run_id="r")
    job = driver.fetch_one()
    channel()
    events = [line._replace(ts=ts) for ts, line in zip(times, logged(*map(str, times)), strict=True)]
    for at in range(0, len(events), 100):
        driver.report(job, events[at : at + 100], first=at)

    said = [json.loads(message["data"])["ts"] for message in channel()]
    assert said == [format_ts(ts) for ts in times]
    assert [event.ts_ms for event in driver.log("r")[1:]] == times


def last_id(store, key):
    with store.talking() as client:
        return client.xinfo_stream(key)["last-generated-id"].decode()


def parts(entry_id):
    ms, number = entry_id.split("-")
    return int(ms), int(number)


def test_a_feed_that_was_deleted_while_the_clock_is_behind_the_logs_goes_on(store, driver):
    """As after a clock that ran ahead, was set back, and a feed removed by hand."""
    ahead = server_ms(store) + 10**10
    with store.talking() as client:
        for run_id, offset in (("r1", 0), ("r2", 10**9)):
            driver.start(run_id=run_id)
            client.execute_command("XSETID", store.keys.log(run_id), f"{ahead + offset}-5")
        client.delete(store.keys.events)
    jobs = driver.fetch(room=2)
    for job in jobs:
        driver.report(job, [started()])
    for job in jobs:
        driver.commit(job, emits=[("one", 1)])
    for job in driver.fetch(room=2):
        driver.commit(job)

    for run_id in ("r1", "r2"):
        ids = [parts(event.id) for event in driver.log(run_id)]
        assert ids == sorted(set(ids))
        assert driver.state(run_id).status == "completed"
    in_feed = [parts(event.id) for event in feed(store)]
    assert in_feed == sorted(set(in_feed))
    assert len(in_feed) == len(driver.log("r1")) + len(driver.log("r2")) - 2
    assert last_id(store, store.keys.events) == feed(store)[-1].id


def test_a_feed_that_is_trimmed_to_nothing_keeps_its_ids_growing(store, driver):
    driver.start(run_id="r")
    with store.talking() as client:
        client.xtrim(store.keys.events, maxlen=0)
    driver.commit(driver.fetch_one())

    assert [event.id for event in feed(store)] == [event.id for event in driver.log("r")[1:]]


def test_the_feed_keeps_about_as_many_entries_as_it_is_told(url, open_store):
    store = open_store(url, events_max_len=100)
    driver = Driver(store, deployed(store, CHAIN))
    for _ in range(40):
        driver.start()
        driver.commit(driver.fetch_one(), events=logged(*map(str, range(10))))

    with store.talking() as client:
        assert 100 <= client.xlen(store.keys.events) < 400


@pytest.mark.parametrize("run_id", ["a", "-", "_", "A-_z" * 16])
def test_any_run_id_is_carried_whole(driver, run_id):
    driver.start(run_id=run_id)
    job = driver.fetch_one()
    assert job.run_id == run_id
    driver.commit(job)
    assert driver.state(run_id).status == "completed"
