"""Jobs and calls as values."""

from __future__ import annotations

import pytest

from engine.store import queue
from engine.store.queue import LeasedJob, Room, Served, leased_job

FIELDS = [b"r-1/a.b#12", b"q", 2, b"1", b"0.1.1", b"one", b'{"x":1}', b"f", b"v", b""]


def test_a_job_is_read_from_what_scripts_answer():
    job = leased_job(FIELDS, "w.7")

    assert job == LeasedJob("r-1", "a.b#12", "a.b", "f", "v", "q", "w.7", 2, 1, "0.1.1", "one", b'{"x":1}')
    assert not job.is_limited
    assert leased_job([*FIELDS[:-1], b"1"], "w.7") == job._replace(is_limited=True)
    assert job.id == "r-1/a.b#12"
    assert job.head == ["r-1", "a.b#12", "a.b", "f", "q", "w.7", 2]


def test_calls_are_a_name_and_arguments():
    job = leased_job(FIELDS, "w.7")

    assert queue.fetch("w", seq=7, room=Room(3, 4, 2), lease_ms=5, ttl_ms=6) == (
        "fetch",
        ("w", 7, 3, 4, 2, 5, 6),
    )
    assert queue.release(job, delay_ms=9, unroutable=b"{}") == ("release", (*job.head, 9, b"{}"))
    assert queue.renew([job, job], lease_ms=5) == ("renew", (5, *(["r-1", "a.b#12", "q", "w.7"] * 2)))
    assert queue.sweep(lease_ms=5, limit=6, max_losses=7, token="w.8") == ("sweep", (5, 6, 7, "w.8"))
    assert queue.promote(limit=6) == ("promote", (6,))
    served = Served(threads=("a", "b"), loop=("c",), number=4)
    assert queue.heartbeat("w", ttl_ms=5, served=served, fields={"pid": 1, "host": "h"}) == (
        "heartbeat",
        ("w", 5, 4, 2, 1, "a", "b", "c", "pid", 1, "host", "h"),
    )


@pytest.mark.parametrize(("threads", "loop"), [(0, 0), (0, 2), (3, 0)])
def test_there_is_room_where_threads_or_the_loop_have_some(threads, loop):
    assert bool(Room(threads, loop, free=0)) == (threads + loop > 0)
