"""Workers that are killed, die of a handler, or are frozen: runs complete, and each step is recorded once."""

from __future__ import annotations

import random
import signal
from functools import partial

import pytest

from engine.events.types import SETTLING, STEP_FAILED, STEP_LOST, STEP_STARTED
from tests.acceptance.command import LIMIT_S
from tests.support.project import STEPS
from tests.support.proxy import Proxy
from tests.support.wait import wait_until
from tests.support.worker import assert_recorded_once


@pytest.fixture
def mill(new_mill):
    return new_mill(lease="1s")


@pytest.mark.parametrize(
    ("step", "other"), [("a_cut", "after"), ("b_mill", "after"), ("b_mill", "before"), ("c_pack", "before")]
)
def test_a_worker_that_is_killed_in_a_step_is_replaced(shop, mill, step, other):
    first = mill.worker()
    run_id = shop.start(mill.flow, {step: {"gate": "never"}})
    mill.wait_for(run_id, step)
    if other == "before":
        mill.worker()
    first.kill()
    first.wait()
    if other == "after":
        mill.worker()
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    assert run.status == "completed"
    events = shop.events(run_id)
    assert_recorded_once(events, *STEPS)
    lost = shop.events(run_id, STEP_LOST)
    assert [(event.step_name, event.attempt, event.data["losses"]) for event in lost] == [(step, 1, 1)]
    attempts = {event.step_name: event.attempt for event in shop.events(run_id, STEP_STARTED)}
    assert attempts == {"a_cut": 1, "b_mill": 1, "c_pack": 1} | {step: 2}
    assert run.handler_state == {"a_cut": 1, "b_mill": 1, "c_pack": 1}


#: Where the worker dies, and the step that its death costs an attempt.
MOMENTS = {
    "the first fetch": ("fetch", 1, "a_cut"),
    "the first report": ("report", 1, "a_cut"),
    "the first commit": ("commit", 1, "b_mill"),
    "the second commit": ("commit", 2, "c_pack"),
    "the last commit": ("commit", 3, None),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_between_a_call_and_its_answer_costs_what_was_leased_and_no_more(
    shop, mill, server, moment
):
    name, number, again = MOMENTS[moment]
    with Proxy(server.socket_path, shop.store) as proxy:
        run_id = shop.start(mill.flow, {"a_cut": {"ms": 100}})
        proxy.freeze_at(name, number)
        first = mill.begin_worker("--redis-url", proxy.url)
        wait_until(lambda: proxy.has_lost(1), timeout_s=LIMIT_S, saw=lambda: proxy.seen)
        first.kill()
        first.wait()
    mill.worker()
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    assert run.status == "completed"
    assert_recorded_once(shop.events(run_id), *STEPS)
    assert [event.step_name for event in shop.events(run_id, STEP_LOST)] == ([again] if again else [])
    assert {step: a.attempt for step, a in run.activations.items()} == {
        step: 2 if step == f"{again}#1" else 1 for step in STEPS
    }
    assert run.handler_state == {"a_cut": 1, "b_mill": 1, "c_pack": 1}


def test_workers_killed_at_random_moments_under_load_lose_nothing(shop, mill):
    chance = random.Random(7)
    ids = shop.start_many(mill.flow, 200)
    mill.worker()
    for _ in range(5):
        mill.begin_worker()
        limit = shop.unfinished() - chance.randrange(1, 30)
        wait_until(partial(shop.has_at_most, limit), timeout_s=LIMIT_S)
        victim = mill.workers[-2]
        victim.kill()
        victim.wait()
    for run in shop.all_ended(ids, timeout_s=LIMIT_S):
        assert run.status == "completed"
        assert_recorded_once(shop.events(run.run_id), *STEPS)
        assert run.handler_state == {"a_cut": 1, "b_mill": 1, "c_pack": 1}


def test_a_step_that_kills_its_worker_each_time_fails_with_its_cause(shop, mill):
    mill.env["FLOWENGINE_WORKER_MAX_DELIVERIES"] = "3"
    run_id = shop.start(mill.flow, {"b_mill": {"exit": 9}})
    for attempt in range(1, 4):
        worker = mill.begin_worker()
        assert worker.wait(LIMIT_S) == 9
        assert mill.has_begun(run_id, "b_mill", attempt)
    mill.worker()
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    assert (run.status, run.failed_step) == ("failed", "b_mill")
    [failed] = shop.events(run_id, STEP_FAILED)
    assert failed.data["cause"] == "worker lost"
    assert [event.data["losses"] for event in shop.events(run_id, STEP_LOST)] == [1, 2, 3]
    assert not mill.has_begun(run_id, "b_mill", 4)


def test_a_worker_that_was_frozen_for_longer_than_its_lease_goes_on_and_its_result_is_discarded(shop, mill):
    first = mill.worker()
    run_id = shop.start(mill.flow, {"b_mill": {"gate": "opened"}})
    mill.wait_for(run_id, "b_mill")
    first.send_signal(signal.SIGSTOP)
    second = mill.worker()
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    mill.write("opened", "")
    first.send_signal(signal.SIGCONT)
    second.terminate()
    second.communicate(timeout=LIMIT_S)
    again = shop.ended(shop.start(mill.flow, {}), timeout_s=LIMIT_S)
    assert again.status == "completed"
    assert first.poll() is None
    assert shop.state(run_id) == run
    assert_recorded_once(shop.events(run_id), *STEPS)
    assert [event.attempt for event in shop.events(run_id) if event.type in SETTLING] == [1, 2, 1]
    assert run.handler_state == {"a_cut": 1, "b_mill": 1, "c_pack": 1}
