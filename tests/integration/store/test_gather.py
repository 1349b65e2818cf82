"""What joins and collects are given: payloads read from the log by page, within a limit."""

from __future__ import annotations

import pytest

from engine.errors import PayloadError, RunNotFound
from engine.events.codec import decode_json
from engine.store.gather import Gather
from tests.support.store import Driver, deployed, logged

LIMIT = 64 << 20


@pytest.fixture
def driver(store):
    steps = {
        "a": {"emits": ["one", "one.more", "two"]},
        "b": {"subscribes": "two", "emits": ["one", "two.more"]},
    }
    return Driver(store, deployed(store, steps))


@pytest.fixture
def gather(store):
    return Gather(store)


def record(driver, emits, *, run_id="r", events=()):
    """A run whose entry has emitted; answers the ids of its events."""
    driver.start(run_id=run_id)
    driver.commit(driver.fetch_one(), emits=emits, events=events)
    return [it.id for it in driver.log(run_id) if it.type == "emit"]


def collected(gather, event="one", upto="+", limit_bytes=LIMIT):
    return decode_json(gather.collect("r", event, upto, limit_bytes=limit_bytes))


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 48, 49, 600])
def test_it_reads_all_payloads_in_their_order(driver, gather, count):
    record(driver, [("one", {"n": k}) for k in range(count)])

    assert collected(gather) == [{"n": k} for k in range(count)]


def test_it_reads_over_whatever_else_is_in_the_log(driver, gather):
    emits = [(("one", "one.more")[k % 2], k) for k in range(200)]
    record(driver, emits, events=logged(*(f"line {k}" for k in range(150))))

    assert collected(gather) == list(range(0, 200, 2))
    assert collected(gather, "one.more") == list(range(1, 200, 2))
    assert collected(gather, "never") == []


def test_it_stops_at_the_event_that_it_reads_up_to(driver, gather):
    ids = record(driver, [("one", k) for k in range(100)])

    assert collected(gather, upto=ids[0]) == [0]
    assert collected(gather, upto=ids[36]) == list(range(37))
    assert collected(gather, upto=ids[-1]) == list(range(100))
    assert collected(gather, upto=driver.log("r")[0].id) == []


def test_it_gathers_what_several_steps_have_emitted_of_one_run(driver, gather):
    for run_id in ("r", "other"):
        record(driver, [("one", f"{run_id} a"), ("two", 1)], run_id=run_id)
        driver.commit(driver.fetch_one(), emits=[("one", f"{run_id} b")])

    assert collected(gather) == ["r a", "r b"]


def test_payloads_that_look_like_events_stay_what_they_are(driver, gather):
    payloads = [
        {"event": "one", "path": "0", "payload": 7},
        '{"event":"one","payload":1}',
        [{"payload": [{"payload": None}]}],
        '"payload":',
        "ü\u2028\0",
        None,
    ]
    ids = record(driver, [("one", payload) for payload in payloads])

    assert collected(gather) == payloads
    places = dict.fromkeys(("p", "q"), ids[0])
    assert decode_json(gather.join("r", places, limit_bytes=LIMIT)) == {"p": payloads[0], "q": payloads[0]}


def test_a_run_that_is_not_there_has_nothing(gather):
    assert collected(gather) == []


def test_as_many_bytes_as_the_limit_are_read_and_one_more_is_refused(driver, gather):
    record(driver, [("one", "x" * 98), ("two", "y" * 500), ("one", "x" * 98)])

    assert len(collected(gather, limit_bytes=200)) == 2
    with pytest.raises(PayloadError, match="more than 199 bytes: raise `limits"):
        collected(gather, limit_bytes=199)


def test_large_payloads_are_read_a_few_at_a_time(own_store):
    """A page is as long as the one before lets expect: what is held besides the result is one of them."""
    own = Driver(own_store, deployed(own_store, {"a": {"emits": ["one"]}}))
    own.start(run_id="r")
    own.commit(own.fetch_one(), emits=[("one", "x" * 100_000)] * 64)
    with own_store.talking() as client:
        client.config_resetstat()
    found = Gather(own_store).collect("r", "one", "+", limit_bytes=LIMIT)
    with own_store.talking() as client:
        reads = client.info("commandstats")["cmdstat_xrange"]["calls"]

    assert [len(item) for item in decode_json(found)] == [100_000] * 64
    assert 64 // 3 <= reads <= 64 // 2 + 3


def test_many_small_payloads_are_read_in_few_pages(own_store):
    own = Driver(own_store, deployed(own_store, {"a": {"emits": ["one"]}}))
    own.start(run_id="r")
    job = own.fetch_one()
    own.stage_all(job, [("one", k) for k in range(5_000)])
    own.commit(job, staged=5_000)
    own.unfold_all("r", "a#1")
    with own_store.talking() as client:
        client.config_resetstat()
    found = Gather(own_store).collect("r", "one", "+", limit_bytes=LIMIT)
    with own_store.talking() as client:
        reads = client.info("commandstats")["cmdstat_xrange"]["calls"]

    assert decode_json(found) == list(range(5_000))
    assert reads <= 5 + 5_002 // 64


def test_a_join_is_an_object_by_event_in_order_of_names(driver, gather):
    ids = record(driver, [("two", [2]), ("one", {"x": 1}), ("one.more", "more")])
    places = dict(zip(("two", "one", "one.more"), ids, strict=True))

    found = gather.join("r", places, limit_bytes=LIMIT)
    assert found == b'{"one":{"x":1},"one.more":"more","two":[2]}'
    assert gather.join("r", {}, limit_bytes=LIMIT) == b"{}"


def test_a_join_is_bounded_too(driver, gather):
    ids = record(driver, [("one", "x" * 98), ("two", "y" * 98)])
    places = dict(zip(("one", "two"), ids, strict=True))

    assert gather.join("r", places, limit_bytes=200)
    with pytest.raises(PayloadError, match="more than 199 bytes"):
        gather.join("r", places, limit_bytes=199)


def test_a_join_whose_log_is_gone_says_so(driver, store, gather):
    (at,) = record(driver, [("one", 1)])
    with pytest.raises(RunNotFound, match=f"the log of run other has lost the event {at}"):
        gather.join("other", {"one": at}, limit_bytes=LIMIT)
