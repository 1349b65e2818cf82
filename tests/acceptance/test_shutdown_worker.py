"""Workers that are asked to stop: they leave nothing in their hands, and others do the rest."""

from __future__ import annotations

from functools import partial

import pytest

from engine.events.types import STEP_LOST, STEP_STARTED
from tests.acceptance.command import LIMIT_S
from tests.support.project import STEPS
from tests.support.wait import wait_until
from tests.support.worker import assert_recorded_once


@pytest.fixture
def mill(new_mill):
    return new_mill(lease="10m")


def test_a_worker_that_is_stopped_under_load_leaves_nothing_and_another_does_the_rest(shop, mill):
    first = mill.worker()
    ids = shop.start_many(mill.flow, 150, a_cut={"ms": 40})
    wait_until(partial(shop.has_at_most, 145), timeout_s=LIMIT_S)
    first.terminate()
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 0, err
    assert "stopped" in err
    assert shop.leased() == []
    assert shop.unfinished() > 0
    mill.worker()
    for run in shop.all_ended(ids, timeout_s=LIMIT_S):
        events = shop.events(run.run_id)
        assert run.status == "completed"
        assert_recorded_once(events, *STEPS)
        assert {event.attempt for event in events if event.step_id} == {1}


def test_a_running_step_may_end_and_the_next_one_is_done_elsewhere(shop, mill):
    first = mill.worker()
    run_id = shop.start(mill.flow, {"b_mill": {"gate": "opened"}})
    mill.wait_for(run_id, "b_mill")
    first.terminate()
    assert first.stderr is not None
    assert "taking no more steps" in first.stderr.readline()
    mill.write("opened", "")
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 0, err
    assert {step: a.state for step, a in shop.state(run_id).activations.items()} == {
        "a_cut#1": "completed",
        "b_mill#1": "completed",
        "c_pack#1": "waiting",
    }
    mill.worker()
    assert shop.ended(run_id, timeout_s=LIMIT_S).status == "completed"
    assert {event.attempt for event in shop.events(run_id, STEP_STARTED)} == {1}


def test_a_step_that_does_not_end_within_the_grace_runs_again_elsewhere(shop, mill):
    mill.env |= {"FLOWENGINE_WORKER_GRACE": "200ms", "FLOWENGINE_WORKER_LEASE": "1s"}
    first = mill.worker()
    run_id = shop.start(mill.flow, {"b_mill": {"gate": "never"}})
    mill.wait_for(run_id, "b_mill")
    first.terminate()
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 0, err
    assert f"{run_id}/b_mill#1" in err
    mill.worker()
    assert shop.ended(run_id, timeout_s=LIMIT_S).status == "completed"
    assert_recorded_once(shop.events(run_id), *STEPS)
    assert [event.step_id for event in shop.events(run_id, STEP_LOST)] == ["b_mill#1"]


def test_a_second_signal_ends_it_at_once_and_the_step_runs_again_elsewhere(shop, mill):
    mill.env["FLOWENGINE_WORKER_LEASE"] = "1s"
    first = mill.worker()
    run_id = shop.start(mill.flow, {"b_mill": {"gate": "never"}})
    mill.wait_for(run_id, "b_mill")
    first.terminate()
    assert first.stderr is not None
    assert "taking no more steps" in first.stderr.readline()
    first.terminate()
    _, err = first.communicate(timeout=LIMIT_S)
    assert first.returncode == 130
    assert "Traceback" not in err
    mill.worker()
    assert shop.ended(run_id, timeout_s=LIMIT_S).status == "completed"
    assert_recorded_once(shop.events(run_id), *STEPS)
