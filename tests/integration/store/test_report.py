"""`report`: events of a running attempt are recorded once each, whatever becomes of the calls."""

from __future__ import annotations

import random

import pytest

from engine.store.ledger import report
from tests.support.books import contents
from tests.support.store import CHAIN, Driver, deployed, forget_run, logged, started


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def messages(driver, run_id):
    return [event.data["message"] for event in driver.log(run_id) if event.type == "log"]


def test_events_are_recorded_in_order_with_their_times(driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    late = started()._replace(ts=1_600_000_000_000)
    assert driver.report(job, [late, *logged("a", "b")]).word == "OK"

    _, began, *rest = driver.log("r")
    assert began.ts_ms == 1_600_000_000_000
    assert [event.data["message"] for event in rest] == ["a", "b"]
    assert driver.state("r").activations["a#1"].state == "running"


def test_a_report_sent_again_writes_nothing(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.report(job, logged("0", "1"))
    was = contents(store)
    assert driver.report(job, logged("0", "1")).word == "OK"
    assert driver.report(job, logged("0")).word == "OK"

    assert contents(store) == was


def test_of_a_report_that_overlaps_only_what_is_new_is_recorded(driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.report(job, logged("0", "1"))
    driver.report(job, logged("1", "2", "3"), first=1)

    assert messages(driver, "r") == ["0", "1", "2", "3"]


def test_a_hole_is_not_written_over(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.report(job, logged("0"))
    was = contents(store)

    assert driver.report(job, logged("2"), first=2) == ("GAP", [1])
    assert contents(store) == was


def test_an_empty_report_is_no_harm(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    was = contents(store)
    assert driver.report(job, []).word == "OK"
    assert contents(store) == was


def test_the_next_attempt_counts_from_zero(driver):
    driver.start(run_id="r")
    first = driver.fetch_one()
    driver.report(first, logged("0", "1"))
    driver.lose(first)
    second = driver.fetch_one()

    assert driver.report(first, logged("2"), first=2).word == "FENCED"
    assert driver.report(second, logged("again")).word == "OK"
    assert messages(driver, "r") == ["0", "1", "again"]


def test_who_has_the_job_no_longer_cannot_report(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    given_back, settled = driver.fetch(room=2)
    driver.release(given_back)
    driver.commit(settled, emits=[("two", 1)])
    was = contents(store)

    assert driver.report(given_back, logged("x")).word == "DUP"
    assert driver.report(settled, logged("x")).word == "SETTLED"
    assert contents(store) == was


def test_a_run_that_is_over_takes_no_reports(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.commit(job)
    was = contents(store)

    assert driver.report(job, logged("x")).word == "ENDED"
    assert contents(store) == was


def test_a_run_that_is_gone_takes_no_reports(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    forget_run(store, "r")

    assert driver.report(job, logged("x")).word == "GONE"
    assert driver.log("r") == []


def test_a_run_that_fails_still_takes_reports(driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    first, second = driver.fetch(room=2)
    driver.fail(first)

    assert driver.report(second, logged("still here")).word == "OK"
    assert messages(driver, "r") == ["still here"]


class Network:
    """Loses requests and replies, and keeps some requests for later."""

    def __init__(self, driver, chance):
        self.driver = driver
        self.chance = chance
        self.late = []

    def send(self, call):
        """The answer, or None: whether the call has run is not known."""
        luck = self.chance.random()
        if luck < 0.15:
            return None
        if luck < 0.3:
            self.late.append(call)
            return None
        answer = self.driver.send(call)
        return answer if luck < 0.8 else None

    def deliver_one_late(self):
        if self.late:
            self.driver.send(self.late.pop(self.chance.randrange(len(self.late))))


@pytest.mark.parametrize("seed", range(12))
def test_lost_requests_lost_replies_and_late_copies_change_nothing(driver, seed):
    chance = random.Random(seed)
    network = Network(driver, chance)
    driver.start(run_id="r")
    job = driver.fetch_one()
    total = chance.randint(1, 9)
    names = [f"line {k}" for k in range(total)]
    made = acked = 0
    is_settled = False
    while not is_settled:
        if chance.random() < 0.3:
            network.deliver_one_late()
        if made < total:
            made += chance.randint(1, min(3, total - made))
            answer = network.send(report(job, first=acked, events=logged(*names[acked:made])))
            if answer is not None and answer.word == "OK":
                acked = made
        else:
            answer = network.send(driver.commit_call(job, first=acked, events=logged(*names[acked:])))
            is_settled = answer is not None and answer.word in ("OK", "SETTLED", "ENDED")
    while network.late:
        network.deliver_one_late()

    assert messages(driver, "r") == names
    assert driver.types("r")[-2:] == ["step.completed", "flow.completed"]
    assert driver.types("r").count("step.completed") == 1
