"""`heartbeat` and the list of workers: who has said lately that it lives."""

from __future__ import annotations

import pytest

from engine.store import queue
from engine.store.queue import Room, Served
from engine.store.workers import Workers
from tests.support.books import contents
from tests.support.store import hash_at, members, server_ms


@pytest.fixture
def beat(store):
    def send(worker, *, ttl_ms=10_000, queues=("q",), loop=(), number=0, **fields):
        about: dict[str, str | int] = {"host": "h", "pid": 7, "release": "0.1", "threads": 3}
        served = Served(tuple(queues), tuple(loop), number)
        name, args = queue.heartbeat(worker, ttl_ms=ttl_ms, served=served, fields={**about, **fields})
        return store.call(name, *args)

    return send


def test_a_worker_is_listed_with_what_it_said(store, beat):
    before = server_ms(store)
    now = beat("w", queues=["q1", "q2"], loop=["q4"])
    (worker,) = Workers(store).list()

    assert before <= worker.seen_at_ms == now <= server_ms(store)
    assert (worker.id, worker.host, worker.pid, worker.release, worker.threads) == ("w", "h", 7, "0.1", 3)
    assert worker.queues == {"q1", "q2", "q4"}
    assert members(store, "queues") == ["q1", "q2", "q4"]
    assert Workers(store).serving("q1")
    assert Workers(store).serving("q4")
    assert not Workers(store).serving("q3")


def test_a_heartbeat_says_all_anew(store, beat):
    beat("w", queues=["q1", "q2"])
    beat("w", queues=["q2", "q3"], threads=9)
    (worker,) = Workers(store).list()

    assert (sorted(worker.queues), worker.threads) == (["q2", "q3"], 9)


def test_a_queue_may_go_from_the_threads_to_the_event_loop_and_back(store, beat):
    """A handler was made `async def`, or is none any more."""
    beat("w", queues=["q1", "q2"])
    beat("w", queues=["q1"], loop=["q2"])
    assert members(store, "worker:w:queues:threads") == ["q1"]
    assert members(store, "worker:w:queues:loop") == ["q2"]
    beat("w", queues=["q1", "q2"])
    assert members(store, "worker:w:queues:threads") == ["q1", "q2"]
    assert members(store, "worker:w:queues:loop") == []


def test_a_list_of_queues_that_comes_late_is_passed_over(store, beat):
    """The keeper made it before a swap, and it is older than the one that the swap has sent."""
    beat("w", queues=["q1"], loop=["q2"], number=2)
    beat("w", queues=["old"], loop=["older"], number=1, threads=9)
    [worker] = Workers(store).list()
    assert (sorted(worker.queues), worker.threads) == (["q1", "q2"], 9)
    assert members(store, "queues") == ["q1", "q2"]

    beat("w", queues=["q3"], number=3)
    assert (members(store, "worker:w:queues:threads"), members(store, "worker:w:queues:loop")) == (["q3"], [])


def test_a_worker_that_was_forgotten_may_begin_its_lists_with_any_number(store, beat):
    beat("w", queues=["q1"], number=2)
    beat("w", ttl_ms=0, queues=())
    beat("w", queues=["q2"], number=1)
    assert members(store, "worker:w:queues:threads") == ["q2"]


def test_it_keeps_the_number_of_the_last_fetch(store, beat):
    beat("w")
    name, args = queue.fetch("w", seq=5, room=Room(1, 0, 1), lease_ms=1, ttl_ms=10_000)
    store.call(name, *args)
    beat("w")

    assert hash_at(store, "worker:w")["seq"] == "5"


def test_all_that_a_worker_leaves_has_a_time_to_live(store, beat):
    beat("w", loop=["q2"])
    with store.talking() as client:
        for key in (store.keys.worker("w"), *store.keys.worker_queues("w")):
            assert 0 < client.pttl(key) <= 10_000


def test_a_worker_that_leaves_leaves_nothing(store, beat):
    beat("w", loop=["q2"])
    with store.talking() as client:
        client.rpush(store.keys.worker_wake("w"), 1)
    beat("w", ttl_ms=0, queues=())

    assert Workers(store).list() == []
    assert [key for key in contents(store) if ":worker" in key] == []


def test_a_worker_that_died_is_not_listed_and_soon_forgotten(store, beat):
    beat("dead")
    with store.talking() as client:
        client.delete(store.keys.worker("dead"), *store.keys.worker_queues("dead"))
    assert Workers(store).list() == []
    beat("w")

    assert members(store, "workers") == ["w"]


def test_many_workers_are_listed_in_order(store, beat):
    for name in ("c", "a", "b"):
        beat(name)
    assert [worker.id for worker in Workers(store).list()] == ["a", "b", "c"]
