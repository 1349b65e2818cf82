"""Vital threads look after each other."""

from __future__ import annotations

import threading

import pytest

from engine.clock import monotonic_ms
from engine.errors import StoreUnavailable
from engine.worker.vital import Death, Notice, VitalThread, Watch

LEASE_MS = 20_000


class Waiter(VitalThread):
    def __init__(self) -> None:
        super().__init__("waiter")
        self.may_end = threading.Event()
        self.fault: BaseException | None = None

    def work(self) -> None:
        assert self.may_end.wait(30)
        raise self.fault or SystemExit


@pytest.fixture
def waiter():
    waiter = Waiter()
    waiter.start()
    yield waiter
    waiter.may_end.set()
    waiter.join()


@pytest.fixture
def said():
    return []


@pytest.fixture
def watch(waiter, said):
    watch = Watch(lease_ms=LEASE_MS, dead=said.append)
    watch.over(waiter)
    return watch


def test_one_that_gives_signs_of_life_is_left_alone(watch, waiter, said):
    watch.look()
    assert said == []


def test_one_that_is_silent_for_half_a_lease_is_named(watch, waiter, said):
    waiter.beat_ms = monotonic_ms() - LEASE_MS / 2 - 1
    watch.look()
    assert said == [Death("the thread flowengine-waiter has given no sign of life for 10.0 s")]


def test_where_a_handler_is_to_blame_the_handler_is_named_and_not_the_thread(watch, waiter, said):
    waiter.suspicion = lambda: "a handler sleeps"
    waiter.beat_ms = monotonic_ms() - LEASE_MS / 2 - 1
    watch.look()
    assert said == [Death("a handler sleeps for 10.0 s", is_handlers=True)]


def test_one_that_has_died_is_named(watch, waiter, said):
    waiter.may_end.set()
    waiter.join()
    watch.look()
    assert said == [Death("the thread flowengine-waiter has died")]


@pytest.mark.parametrize("fault", [TypeError("an int"), MemoryError(), SystemExit(1)], ids=repr)
def test_one_that_dies_says_so_itself(waiter, said, fault):
    waiter.fault, waiter.died = fault, said.append
    waiter.may_end.set()
    waiter.join()
    assert said == [Death(f"the thread flowengine-waiter has died of {type(fault).__name__}: {fault}")]


def test_one_that_has_ended_as_it_was_asked_to_is_not_dead(watch, waiter, said):
    waiter.stopping.set()
    waiter.may_end.set()
    waiter.join()
    watch.look()
    assert said == []


def test_one_that_has_not_begun_is_not_dead(said):
    watch = Watch(lease_ms=LEASE_MS, dead=said.append)
    watch.over(Waiter())
    watch.look()
    assert said == []


def test_the_others_are_given_time_after_everybody_was_held_up(watch, waiter, said):
    waiter.beat_ms -= 3_600_000
    watch._looked_at_ms -= 3_600_000
    watch.look()
    watch.look()
    assert said == []
    watch._back_since_ms -= LEASE_MS / 2 + 1
    watch.look()
    assert len(said) == 1


def test_an_outage_is_told_once_however_many_threads_find_out(caplog):
    caplog.set_level("INFO")
    notice = Notice()
    threads = [VitalThread(name) for name in ("one", "two")]
    for _ in range(2):
        for thread in threads:
            notice.cut_off(thread, StoreUnavailable("it is away"))
    notice.back(threads[0])
    assert [record.message for record in caplog.records] == ["it is away; trying again until it answers"]
    notice.back(threads[1])
    assert [record.message for record in caplog.records][1:] == ["the store answers again"]


def test_another_reason_of_the_same_outage_is_said_too_and_each_once(caplog):
    caplog.set_level("INFO")
    notice, thread = Notice(), threading.current_thread()
    for why in ["refused", "refused", "no room", "refused", "no room"]:
        notice.cut_off(thread, StoreUnavailable(why))
    notice.back(thread)
    notice.cut_off(thread, StoreUnavailable("refused"))
    assert [record.message for record in caplog.records] == [
        "refused; trying again until it answers",
        "no room; trying again until it answers",
        "the store answers again",
        "refused; trying again until it answers",
    ]
