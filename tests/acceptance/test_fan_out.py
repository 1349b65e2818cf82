"""Fan-outs whose workers are killed: every item is done, collected once, and nothing waits for the dead."""

from __future__ import annotations

from functools import partial

import pytest

from engine.events.types import EMIT, STEP_LOST
from tests.acceptance.command import LIMIT_S
from tests.support.proxy import Proxy
from tests.support.wait import wait_until
from tests.support.worker import assert_recorded_once

FLOW = """\
flow: wide
steps:
  spread: {role: entry, handler: handlers.wide:spread, emits: [item]}
  square: {subscribes: item, handler: handlers.wide:square, emits: [done]}
  gather: {subscribes: {collect: done}, handler: handlers.wide:gather}
"""

HANDLERS = """\
def spread(job, ctx):
    for n in range(job.data["width"]):
        ctx.flow.emit("item", n)


def square(job, ctx):
    ctx.flow.emit("done", job.data**2)


def gather(job, ctx):
    return sorted(job.data)
"""


@pytest.fixture
def mill(new_mill):
    mill = new_mill(lease="1s")
    mill.write("flows/mill.yaml", FLOW)
    mill.write("handlers/wide.py", HANDLERS)
    return mill


def assert_exact(shop, run, width):
    assert run.status == "completed"
    assert run.result == [n**2 for n in range(width)]
    steps = ["spread#1", "gather#1", *(f"square#{n}" for n in range(1, width + 1))]
    assert_recorded_once(shop.events(run.run_id), *steps)


@pytest.mark.parametrize("number", [1, 8, 19])
def test_a_worker_killed_while_it_lays_a_fan_out_out_is_replaced(shop, mill, server, number):
    with Proxy(server.socket_path, shop.store) as proxy:
        proxy.freeze_at("unfold", number)
        first = mill.worker("--redis-url", proxy.url)
        run_id = shop.start(mill.flow, {"width": 1_000})
        wait_until(lambda: proxy.has_lost(1), timeout_s=LIMIT_S, saw=lambda: proxy.seen)
        first.kill()
        first.wait()
    items = [event for event in shop.events(run_id, EMIT) if event.data["event"] == "item"]
    assert len(items) == 50 * number
    mill.worker()
    assert_exact(shop, shop.ended(run_id, timeout_s=LIMIT_S), 1_000)


@pytest.mark.parametrize("moment", [2, 400, 1_500, 2_900, 3_900])
def test_one_of_three_workers_killed_in_the_middle_costs_a_fan_out_nothing(shop, mill, moment):
    for _ in range(3):
        mill.worker()
    run_id = shop.start(mill.flow, {"width": 2_000})
    length = partial(log_length, shop, run_id)
    wait_until(lambda: length() >= moment, timeout_s=LIMIT_S, saw=length)
    victim = mill.workers[moment % 3]
    victim.kill()
    victim.wait()
    assert_exact(shop, shop.ended(run_id, timeout_s=LIMIT_S), 2_000)
    assert {event.data["losses"] for event in shop.events(run_id, STEP_LOST)} <= {1}


def log_length(shop, run_id):
    with shop.store.talking() as client:
        return client.xlen(shop.store.keys.log(run_id))


LIMITED_FLOW = """\
flow: limited
steps:
  spread: {role: entry, handler: handlers.limited:spread, emits: [item]}
  work: {subscribes: item, handler: handlers.limited:work, emits: [done], concurrency: 2}
  gather: {subscribes: {collect: done}, handler: handlers.limited:gather}
"""

#: Each line of `book` says who goes in and out; appending a line is atomic.
LIMITED_HANDLERS = """\
import os
import time


def note(line):
    with open("book", "a") as book:
        book.write(line + "\\n")


def spread(job, ctx):
    for n in range(60):
        ctx.flow.emit("item", n)


def work(job, ctx):
    me = f"{os.getpid()} {job.data} {job.attempt}"
    note(f"in {me}")
    time.sleep(0.05)
    note(f"out {me}")
    ctx.flow.emit("done", job.data)


def gather(job, ctx):
    return sorted(job.data)
"""


def test_a_limit_over_the_fleet_holds_while_workers_are_killed(shop, mill):
    mill.write("flows/mill.yaml", LIMITED_FLOW)
    mill.write("handlers/limited.py", LIMITED_HANDLERS)
    book = mill.root / "book"
    workers = {worker.pid: worker for worker in (mill.worker() for _ in range(4))}
    run_id = shop.start(mill.flow)
    for lines in (15, 40):
        wait_until(partial(has_lines, book, lines), timeout_s=LIMIT_S)
        victim = workers[last_to_enter(book)]
        victim.kill()
        victim.wait()
        # Whoever was inside is not any more, and cannot write it down.
        with book.open("a") as pages:
            pages.write(f"dead {victim.pid}\n")
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    assert run.result == list(range(60))
    assert most_inside(book.read_text().splitlines()) == 2
    assert len(shop.events(run_id, STEP_LOST)) <= 4


def has_lines(book, count):
    return book.exists() and len(book.read_text().splitlines()) >= count


def last_to_enter(book):
    """Id of the process of the last handler that began."""
    return int([line.split()[1] for line in book.read_text().splitlines() if line.startswith("in ")][-1])


def most_inside(lines):
    inside, most = set(), 0
    for line in lines:
        word, pid, *rest = line.split()
        if word == "in":
            inside.add((pid, *rest))
        elif word == "out":
            inside.remove((pid, *rest))
        else:
            inside = {one for one in inside if one[0] != pid}
        most = max(most, len(inside))
    return most
