"""What work costs the server, in counts: a time would say more of the machine."""

from __future__ import annotations

import threading

from tests.support.wait import wait_until
from tests.support.worker import alone, chain

RUNS = 400
STEPS = 3


def test_a_step_costs_little_more_than_one_script_under_load(workshop):
    """Every EVALSHA that the worker sends is counted: fetches, commits, reports and the keeper's.

    The runs are started before it begins, so `start` is not among them; a heartbeat of its start is.
    """
    three = chain()
    ids = workshop.start_many(three, RUNS)
    before = workshop.counts()
    workshop.work(three, threads=8)
    wait_until(lambda: not workshop.unfinished(), timeout_s=30)
    scripts = (workshop.counts() - before)["evalsha"]
    assert scripts / (RUNS * STEPS) <= 1.3
    assert {run.status for run in workshop.all_ended(ids)} == {"completed"}


def test_a_chain_does_not_go_back_to_the_queue(workshop):
    """One worker, one run at a time: a commit brings the next job along, so a run needs one fetch or two."""
    three = chain()
    workshop.work(three)
    workshop.run(three, {"n": 0})
    before = workshop.counts()
    for n in range(50):
        workshop.run(three, {"n": n})
    scripts = workshop.counts() - before
    # Each run: `start`, three commits, the fetch that brings the entry, and the fetch before it sleeps again.
    assert scripts["evalsha"] / 50 <= 8


def test_an_idle_worker_asks_seldom(workshop):
    """An idle worker ticks once a second, and waits for a marker the rest of the time."""
    three = chain()
    workshop.work(three)
    workshop.run(three, {"n": 0})
    before = workshop.counts()
    workshop.pass_time(2_000)
    sent = workshop.counts() - before
    assert sent["evalsha"] <= 2 * 4
    assert sent["blpop"] <= 4


def test_a_worker_without_room_does_not_ask_for_more(workshop):
    opened, begun = threading.Event(), threading.Semaphore(0)

    def handler(job, ctx):
        begun.release()
        assert opened.wait(20)

    slow = alone(handler)
    workshop.work(slow, threads=2)
    ids = workshop.start_many(slow, 50)
    assert begun.acquire(timeout=10)
    assert begun.acquire(timeout=10)
    workshop.pass_time(300)
    before = workshop.counts()
    workshop.pass_time(1_500)
    sent = workshop.counts() - before
    opened.set()
    assert sent["evalsha"] <= 8
    assert len(workshop.all_ended(ids)) == 50


def test_lines_do_not_cost_a_call_each(workshop):
    def handler(job, ctx):
        for n in range(2_000):
            ctx.logger.info(str(n))

    chatty = alone(handler)
    workshop.work(chatty)
    before = workshop.counts()
    assert workshop.run(chatty).logs == 2_000
    assert (workshop.counts() - before)["evalsha"] <= 100
