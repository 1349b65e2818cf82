"""Processes with `async def` handlers: how they stop, die, and are replaced."""

from __future__ import annotations

import signal

import pytest

from engine.events.types import STEP_LOST, STEP_STARTED
from tests.acceptance.command import LIMIT_S
from tests.support.wait import wait_until
from tests.support.worker import assert_recorded_once

FLOW = """\
flow: waiting
steps:
  spread: {role: entry, handler: handlers.waiting:spread, emits: [item]}
  wait: {subscribes: item, handler: handlers.waiting:wait, emits: [done]}
  gather: {subscribes: {collect: done}, handler: handlers.waiting:gather}
"""

#: `data["how"]` says how a step waits until the file `opened` is there.
HANDLERS = """\
import asyncio
import os
import pathlib
import time

OPENED = pathlib.Path("opened")


async def spread(job, ctx):
    for n in range(job.data["width"]):
        ctx.flow.emit("item", [n, job.data["how"]])


async def wait(job, ctx):
    n, how = job.data
    if how == "in a thread" and not OPENED.exists():
        await asyncio.to_thread(time.sleep, 3_600)
    elif how == "blocking" and job.attempt == 1:
        time.sleep(3_600)
    while not OPENED.exists():
        await asyncio.sleep(0.01)
    ctx.flow.emit("done", n)


async def gather(job, ctx):
    return sorted(job.data)
"""


@pytest.fixture
def mill(new_mill):
    mill = new_mill(lease="10m", threads=2)
    mill.write("flows/mill.yaml", FLOW)
    mill.write("handlers/waiting.py", HANDLERS)
    return mill


def begin(shop, mill, width, how="awaiting"):
    """A run whose steps have all begun to wait."""
    run_id = shop.start(mill.flow, {"width": width, "how": how})
    wait_until(
        lambda: len(shop.events(run_id, STEP_STARTED)) == width + 1,
        timeout_s=LIMIT_S,
        saw=lambda: len(shop.events(run_id, STEP_STARTED)),
    )
    return run_id


def assert_done(shop, run_id, width):
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    assert (run.status, run.result) == ("completed", list(range(width)))
    steps = ["spread#1", "gather#1", *(f"wait#{n}" for n in range(1, width + 1))]
    assert_recorded_once(shop.events(run_id), *steps)


def test_a_worker_that_is_stopped_cancels_what_waits_and_another_does_it_at_once(shop, mill):
    mill.env["FLOWENGINE_WORKER_GRACE"] = "100ms"
    first = mill.worker()
    run_id = begin(shop, mill, 300)
    first.terminate()
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 0, err
    assert "stopped" in err
    assert "left unfinished" not in err
    assert "Traceback" not in err
    assert shop.leased() == []
    mill.write("opened", "")
    mill.worker()
    assert_done(shop, run_id, 300)
    assert {event.attempt for event in shop.events(run_id, STEP_STARTED)} == {1}
    assert shop.events(run_id, STEP_LOST) == []


def test_what_ends_within_the_grace_is_recorded(shop, mill):
    first = mill.worker()
    run_id = begin(shop, mill, 50)
    first.terminate()
    assert first.stderr is not None
    assert "taking no more steps" in first.stderr.readline()
    mill.write("opened", "")
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 0, err
    assert shop.leased() == []
    states = {step: a.state for step, a in shop.state(run_id).activations.items()}
    assert states == {"spread#1": "completed", "gather#1": "waiting"} | {
        f"wait#{n}": "completed" for n in range(1, 51)
    }
    mill.worker()
    assert_done(shop, run_id, 50)
    assert len(shop.events(run_id, STEP_STARTED)) == 52


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_handler_that_waits_in_a_thread_does_not_keep_a_stopped_worker_alive(shop, mill, how):
    mill.env["FLOWENGINE_WORKER_GRACE"] = "100ms"
    first = mill.worker()
    run_id = begin(shop, mill, 3, "in a thread")
    first.send_signal(how)
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 0, err
    assert "Traceback" not in err
    assert shop.leased() == []
    mill.write("opened", "")
    mill.worker()
    assert_done(shop, run_id, 3)


def test_a_worker_whose_loop_is_blocked_says_by_whom_and_ends(shop, mill):
    mill.env["FLOWENGINE_WORKER_LEASE"] = "2s"
    mill.write("opened", "")
    first = mill.worker()
    run_id = shop.start(mill.flow, {"width": 1, "how": "blocking"})
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 70
    *_, told, advice = err.splitlines()
    assert f"CRITICAL worker.process: the `async def` handler of {run_id}/wait#1 has blocked" in told
    assert advice.startswith("flowengine: write the handler as `def`")
    assert err.count("has blocked") == 1
    mill.worker()
    assert_done(shop, run_id, 1)
    [lost] = shop.events(run_id, STEP_LOST)
    assert (lost.step_id, lost.data["losses"]) == ("wait#1", 1)


def test_a_run_whose_handler_blocks_the_loop_says_so_and_how_to_go_on(shop, mill):
    mill.env["FLOWENGINE_WORKER_LEASE"] = "2s"
    mill.write("opened", "")
    done = mill.run("run", "waiting", "--worker", "-i", "width=1", "-i", "how=blocking")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    [run_id] = [run["runId"] for run in mill.json("runs")]
    told, advice, over, *_ = done.stderr.splitlines()[-5:]
    assert f"the `async def` handler of {run_id}/wait#1 has blocked the event loop for " in told
    assert advice.startswith("flowengine: write the handler as `def`")
    assert over == f"run {run_id} is not over"
    mill.worker()
    assert_done(shop, run_id, 1)


def test_a_worker_that_is_killed_while_many_steps_wait_is_replaced(shop, mill):
    mill.env["FLOWENGINE_WORKER_LEASE"] = "1s"
    first = mill.worker()
    run_id = begin(shop, mill, 300)
    first.kill()
    first.wait()
    mill.write("opened", "")
    mill.worker()
    assert_done(shop, run_id, 300)
    assert {event.step_name for event in shop.events(run_id, STEP_LOST)} == {"wait"}
    assert len(shop.events(run_id, STEP_LOST)) == 300
