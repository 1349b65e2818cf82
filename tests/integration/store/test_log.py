"""Reading logs: by page, from an id on, and waiting for what comes."""

from __future__ import annotations

import threading

import pytest

from engine.events.types import Event
from engine.store.log import EventLog, HandlerState
from engine.store.pages import FIRST, LARGEST, PAGE_BYTES
from tests.support.store import CHAIN, Driver, deployed, logged


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


@pytest.fixture
def log(store):
    return EventLog(store)


def test_a_long_log_is_read_whole_and_by_page(driver, log):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), events=logged(*map(str, range(2 * LARGEST))))
    events = list(log.read_all("r"))

    assert [event.data["message"] for event in events if event.type == "log"] == [
        str(k) for k in range(2 * LARGEST)
    ]
    assert log.read("r", after=events[9].id) == events[10 : 10 + LARGEST]
    assert log.read("r", after=events[-1].id) == []


def test_pages_grow_while_events_are_small_and_shrink_at_once(driver, log):
    driver.start(run_id="r")
    large = "x" * (PAGE_BYTES // 4)
    driver.commit(driver.fetch_one(), events=logged(*["small"] * 70, *[large] * 200))
    sizes, after = [], "0-0"
    while page := log.read("r", after=after):
        sizes.append(len(page))
        after = page[-1].id

    assert sizes[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert set(sizes[5:-1]) <= {3, 4}
    assert sum(sizes) == 70 + 200 + len(["flow.start", "step.completed", "flow.completed"])


def test_what_waits_reads_by_page_too(driver, log):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), events=logged(*map(str, range(50))))
    first = log.wait("r", after="0-0", timeout_ms=1)
    assert [len(first), len(log.wait("r", after=first[-1].id, timeout_ms=1))] == [FIRST, 2 * FIRST]


def test_an_unknown_run_has_an_empty_log(log):
    assert log.read("nobody") == list(log.read_all("nobody")) == []
    assert log.input_of("nobody") is None


def test_what_is_there_already_is_not_waited_for(driver, log):
    driver.start(run_id="r")
    assert [event.type for event in log.wait("r", after="0-0", timeout_ms=4_000)] == ["flow.start"]


def test_one_event_and_the_newest_one_can_be_asked_for(driver, log):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one())
    first, *_, newest = log.read_all("r")
    assert log.last("r") == newest
    assert log.get("r", first.id) == first
    assert log.get("r", "1-1") is log.last("nobody") is None


def test_waiting_in_vain_answers_nothing(driver, log):
    driver.start(run_id="r")
    last = log.read("r")[-1].id
    assert log.wait("r", after=last, timeout_ms=1) == []


def test_an_event_that_comes_wakes_who_waits(driver, log):
    driver.start(run_id="r")
    last = log.read("r")[-1].id
    job = driver.fetch_one()
    thread = threading.Thread(target=driver.commit, args=(job,))
    thread.start()
    seen: list[Event] = []
    while len(seen) < 2:
        seen += log.wait("r", after=seen[-1].id if seen else last, timeout_ms=4_000)
    thread.join()

    assert [event.type for event in seen] == ["step.completed", "flow.completed"]


@pytest.mark.parametrize("value", [None, {"x": [1, "ü"]}, "text", 0])
def test_the_input_of_a_run_is_in_its_first_event(driver, log, value):
    driver.start(value, run_id="r")
    assert log.input_of("r") == value


def test_a_key_that_was_never_set_has_no_value(store, driver):
    driver.start(run_id="r")
    assert HandlerState(store).get("r", "x") is None
