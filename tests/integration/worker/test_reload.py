"""Other plans and other code in a worker that works: `WorkerProcess.swap`."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Iterable

import pytest

from engine.events.state import COMPLETED
from engine.events.types import STEP_STARTED, STEP_UNROUTABLE
from engine.registry.plans import LinkedPlan
from engine.store.connection import Channel
from engine.store.workers import Workers
from engine.worker import process
from tests.support.wait import wait_until
from tests.support.worker import Step, Workshop, alone, assert_recorded_once, chain, flow

#: No lease runs out, and no keeper sends a heartbeat, while a test runs.
NEVER_MS = 600_000


@pytest.fixture
def deaf(monkeypatch):
    """A fetcher that blocks looks around only when it is woken: no test waits for it to do so by itself."""
    monkeypatch.setattr(process, "_BLOCK_S", 60.0)


def asleep(workshop: Workshop) -> None:
    """Wait until a fetcher blocks."""
    with workshop.store.talking() as client:
        wait_until(lambda: client.info("clients")["blocked_clients"])


def said(word: str) -> LinkedPlan:
    """A flow of one step that says a word, always of the same version."""
    return alone(lambda job, ctx: word, "saying")


def in_queue(queue: str, name: str = "moving") -> LinkedPlan:
    """A flow of one step, in a queue of this name; each name is a version of its own."""
    return flow(name, {"only": Step(lambda job, ctx: queue, queue=queue)})


def queues_of(workshop: Workshop, worker: process.WorkerProcess) -> tuple[list[str], list[str]]:
    """The queues that the store gives to the threads and to the loop of a worker."""
    with workshop.store.talking() as client:
        threads, loop = (
            sorted(name.decode() for name in client.smembers(key))
            for key in workshop.store.keys.worker_queues(worker.worker_id)
        )
    return threads, loop


def all_completed(workshop: Workshop, run_ids: Iterable[str], *settled: str) -> None:
    """Every run completes, with each of these activations settled once and none tried twice or put off."""
    for run in workshop.all_ended(run_ids):
        events = workshop.events(run.run_id)
        assert run.status == COMPLETED
        assert_recorded_once(events, *settled)
        assert {event.attempt for event in events if event.step_id} == {1}
        assert workshop.events(run.run_id, STEP_UNROUTABLE) == []


class Gate:
    """A handler that waits until it is opened, and then emits."""

    def __init__(self) -> None:
        self.begun, self.opened = threading.Semaphore(0), threading.Event()

    def __call__(self, job, ctx):
        self.begun.release()
        assert self.opened.wait(30)
        ctx.flow.emit("told")


def test_a_new_flow_and_its_queue_are_served_at_once(workshop, deaf):
    old, new = in_queue("before", "old"), in_queue("after", "new")
    worker = workshop.work(old, lease_ms=NEVER_MS)
    workshop.run(old)
    asleep(workshop)
    workshop.swap(worker, old, new)

    assert Workers(workshop.store).serving("after")
    assert workshop.run(new).result == "after"
    assert workshop.run(old).result == "before"


def test_a_job_that_has_waited_for_its_queue_to_be_served_is_done_at_once(workshop, deaf):
    worker = workshop.work(in_queue("before"), lease_ms=NEVER_MS)
    asleep(workshop)
    run_id = workshop.start(in_queue("after"))
    workshop.swap(worker, in_queue("after"))

    assert workshop.ended(run_id).result == "after"


def test_a_worker_without_any_flow_waits_and_serves_what_a_swap_brings(workshop, deaf):
    worker = workshop.work(lease_ms=NEVER_MS)
    asleep(workshop)
    three = chain()
    workshop.swap(worker, three)
    assert workshop.run(three, {"n": 1}).result == {"n": 1, "steps": 3}

    workshop.swap(worker)
    asleep(workshop)
    assert worker.failure is None


def test_a_fetcher_that_is_about_to_block_for_the_old_queues_learns_of_the_new_ones(
    workshop, deaf, monkeypatch
):
    """It has read the list of before and does not sleep yet: the knock waits for it."""
    blocks, goes_on, is_held = threading.Event(), threading.Event(), threading.Event()
    command = Channel.command

    def held(channel, *told):
        if told[0] == "BLPOP" and is_held.is_set():
            blocks.set()
            assert goes_on.wait(30)
        return command(channel, *told)

    monkeypatch.setattr(Channel, "command", held)
    old, new = in_queue("before", "old"), in_queue("after", "new")
    worker = workshop.work(old, lease_ms=NEVER_MS)
    asleep(workshop)
    is_held.set()
    workshop.run(old)
    assert blocks.wait(10)
    workshop.swap(worker, old, new)
    run_id = workshop.start(new)
    is_held.clear()
    goes_on.set()

    assert workshop.ended(run_id).result == "after"


def test_a_fetcher_without_room_learns_that_the_loop_has_some_now(workshop, deaf):
    """All threads are busy, so it does not even ask."""
    gate = Gate()
    slow = flow("slow", {"only": Step(gate, emits=("told",))})

    async def soon(job, ctx):
        return "soon"

    quick = alone(soon, "quick")
    worker = workshop.work(slow, threads=1, async_steps=10, lease_ms=NEVER_MS)
    slow_ids = workshop.start_many(slow, 10)
    assert gate.begun.acquire(timeout=10)
    workshop.swap(worker, slow, quick)
    assert workshop.run(quick).result == "soon"
    gate.opened.set()
    all_completed(workshop, slow_ids, "only#1")


def test_a_run_in_flight_ends_on_its_own_version_in_queues_that_are_no_more(workshop, deaf):
    gate = Gate()
    steps = {"begin": Step(gate, emits=("told",)), "end": Step(lambda job, ctx: "old end", on=("told",))}
    old = flow("changing", steps)
    new = flow("changing", {"begin": Step(lambda job, ctx: "new", queue="elsewhere")})
    worker = workshop.work(old, threads=2, lease_ms=NEVER_MS)
    run_id = workshop.start(old)
    assert gate.begun.acquire(timeout=10)
    workshop.swap(worker, new)
    other_id = workshop.start(new)
    gate.opened.set()

    run, other = workshop.all_ended([run_id, other_id])
    assert (run.result, run.version) == ("old end", old.plan.version)
    assert (other.result, other.version) == ("new", new.plan.version)


def test_a_run_in_flight_ends_although_its_flow_is_gone(workshop, deaf):
    gate = Gate()
    gone = flow("gone", {"begin": Step(gate, emits=("told",)), "end": Step(lambda job, ctx: 1, on=("told",))})
    worker = workshop.work(gone, lease_ms=NEVER_MS)
    run_id = workshop.start(gone)
    assert gate.begun.acquire(timeout=10)
    workshop.swap(worker)
    gate.opened.set()

    assert workshop.ended(run_id).result == 1


def test_new_code_runs_at_once_also_for_runs_of_older_versions(workshop, deaf):
    older = alone(lambda job, ctx: "old", "saying", emits=("unused",))
    worker = workshop.work(said("old"), lease_ms=NEVER_MS)
    assert workshop.run(said("old")).result == "old"
    assert workshop.run(older).result == "old"
    workshop.swap(worker, said("new"))

    assert workshop.run(said("new")).result == "new"
    run = workshop.run(older)
    assert (run.result, run.version) == ("new", older.plan.version)


def test_a_step_whose_code_is_gone_waits_and_is_done_when_the_code_is_back(workshop):
    """A run of a flow that no file declares any more, where all that is in the store is served."""
    other, gone = said("other"), alone(lambda job, ctx: "back", "gone")
    run_id = workshop.start(gone)
    worker = workshop.work(other, serves_every_flow=True)
    [told] = wait_until(lambda: workshop.events(run_id, STEP_UNROUTABLE))
    assert "handlers.gone:only" in told.data["reason"]
    assert workshop.state(run_id).status == "running"
    assert workshop.run(other).result == "other"

    workshop.swap(worker, other, gone)
    assert workshop.ended(run_id).result == "back"
    [started] = workshop.events(run_id, STEP_STARTED)
    assert started.attempt == 1


def test_the_runs_of_a_flow_that_no_file_declares_are_done_where_all_are_served_and_their_code_is_here(
    workshop,
):
    gone = alone(lambda job, ctx: "done", "gone")
    run_id = workshop.start(gone)
    worker = workshop.build(gone, serves_every_flow=True)
    workshop.swap(worker, said("other"))
    worker.start()

    assert workshop.ended(run_id).result == "done"


def test_swaps_under_load_lose_nothing(workshop):
    """Steps move between queues, come and go, while eight threads do them."""
    n = itertools.count()

    def version():
        turn = next(n)
        three = chain()
        plan = flow(
            "chain",
            {
                name: Step(
                    three.handlers[name],
                    on=three.plan.steps[name].subscribes,
                    emits=three.plan.steps[name].emits,
                    queue=f"q{(turn + at) % 4}",
                )
                for at, name in enumerate(("first", "second", "third"))
            },
        )
        return (plan, chain("beside")) if turn % 2 else (plan,)

    first = version()
    worker = workshop.work(*first, threads=8)
    run_ids = workshop.start_many(first[0], 100)
    for _ in range(40):
        flows = version()
        workshop.swap(worker, *flows)
        run_ids += [run_id for one in flows for run_id in workshop.start_many(one, 10)]
    all_completed(workshop, run_ids, "first#1", "second#1", "third#1")
    assert workshop.leased() == []


def test_a_swap_while_the_store_is_away_holds_and_is_told_when_it_is_back(shop, proxy, open_store):
    worker = shop.work(in_queue("before"), store=open_store(proxy.url), lease_ms=3_000)
    shop.run(in_queue("before"))
    proxy.refuse()
    shop.swap(worker, in_queue("after"))
    run_id = shop.start(in_queue("after"))
    assert not Workers(shop.store).serving("after")
    proxy.let_in()

    assert shop.ended(run_id).result == "after"
    assert worker.failure is None


def test_a_swap_whose_answer_is_lost_is_told_again(shop, proxy, open_store, deaf):
    worker = shop.work(in_queue("before"), store=open_store(proxy.url), lease_ms=NEVER_MS)
    for name in ("heartbeat", "knock"):
        asleep(shop)
        proxy.lose(name)
        shop.swap(worker, in_queue(f"after {name}".replace(" ", ".")))
        assert shop.run(in_queue(f"after.{name}")).result == f"after.{name}"
    assert proxy.lost == ["heartbeat", "knock"]


def test_a_swap_before_the_start_and_after_the_stop_tells_nobody(workshop):
    worker = workshop.build(in_queue("before"))
    workshop.swap(worker, in_queue("after"))
    assert Workers(workshop.store).list() == []
    worker.start()
    assert workshop.run(in_queue("after")).result == "after"
    worker.stop(1_000)
    workshop.swap(worker, in_queue("later"))
    assert Workers(workshop.store).list() == []


def test_plans_whose_code_is_not_at_hand_leave_everything_as_it_was(workshop, deaf):
    worker = workshop.work(said("old"), lease_ms=NEVER_MS)
    with pytest.raises(KeyError):
        worker.swap([in_queue("after").plan], {})
    assert workshop.run(said("old")).result == "old"
    assert not Workers(workshop.store).serving("after")


def test_a_heartbeat_that_was_made_before_a_swap_and_comes_after_it_brings_no_old_queue_back(
    workshop, monkeypatch
):
    made, goes_on, is_held, answered = (threading.Event() for _ in range(4))
    call = Channel.call

    def held(channel, name, *told):
        if name != "heartbeat" or not is_held.is_set():
            return call(channel, name, *told)
        is_held.clear()
        made.set()
        assert goes_on.wait(30)
        answer = call(channel, name, *told)
        answered.set()
        return answer

    monkeypatch.setattr(Channel, "call", held)
    worker = workshop.work(in_queue("before", "old"), lease_ms=600)
    is_held.set()
    assert made.wait(10)
    workshop.swap(worker, in_queue("after", "new"))
    goes_on.set()
    assert answered.wait(10)

    assert queues_of(workshop, worker) == (["after", "before"], [])
    assert workshop.run(in_queue("after", "new")).result == "after"


def sync_turn(job, ctx):
    return "sync"


async def async_turn(job, ctx):
    await asyncio.sleep(0)
    return "async"


def test_a_handler_becomes_async_def_and_back_while_its_jobs_are_in_hand(workshop):
    turns = [alone(handler, "turning") for handler in (sync_turn, async_turn)]
    assert turns[0].plan == turns[1].plan
    worker = workshop.work(turns[0], threads=8, async_steps=50)
    run_ids = workshop.start_many(turns[0], 300)
    for turn in range(1, 30):
        workshop.swap(worker, turns[turn % 2])
        assert queues_of(workshop, worker)[turn % 2] == ["turning.only"]
        run_ids += workshop.start_many(turns[0], 20)
    results = Counter(run.result for run in workshop.all_ended(run_ids))
    assert min(results["sync"], results["async"]) > 0
    all_completed(workshop, run_ids, "only#1")
    assert workshop.leased() == []
    whole_room(workshop, worker, threads=8, async_steps=50)


@pytest.mark.parametrize("first", [0, 1], ids=["to async def", "from async def"])
def test_what_has_begun_and_what_waits_behind_it_ends_whichever_it_was(workshop, first):
    """Some jobs run the code of before, others wait in this process for theirs and get the new one."""
    gate = threading.Event()
    begun = threading.Semaphore(0)

    def sync_slow(job, ctx):
        begun.release()
        assert gate.wait(30)
        return "sync"

    async def async_slow(job, ctx):
        begun.release()
        while not gate.is_set():
            await asyncio.sleep(0.005)
        return "async"

    turns = [alone(sync_slow, "turning"), alone(async_slow, "turning")]
    worker = workshop.work(turns[first], threads=2, async_steps=4)
    run_ids = workshop.start_many(turns[0], 30)
    for _ in range(2):
        assert begun.acquire(timeout=10)
    workshop.swap(worker, turns[1 - first])
    # It need not wait for those that run: the other room is free.
    for _ in range(2):
        assert begun.acquire(timeout=10)
    gate.set()
    results = Counter(run.result for run in workshop.all_ended(run_ids))
    assert min(results["sync"], results["async"]) > 0
    all_completed(workshop, run_ids, "only#1")
    whole_room(workshop, worker, threads=2, async_steps=4)


def whole_room(workshop: Workshop, worker: process.WorkerProcess, *, threads: int, async_steps: int) -> None:
    """So many handlers of either kind are still done at once: each waits for all of its kind."""
    come, here = threading.Barrier(threads), itertools.count(1)

    def sync_crowd(job, ctx):
        come.wait(30)

    async def async_crowd(job, ctx):
        arrived.append(next(here))
        while len(arrived) < async_steps:
            await asyncio.sleep(0.005)

    arrived: list[int] = []
    crowds = alone(sync_crowd, "threads"), alone(async_crowd, "loop")
    workshop.swap(worker, *crowds)
    run_ids = workshop.start_many(crowds[0], threads) + workshop.start_many(crowds[1], async_steps)
    all_completed(workshop, run_ids, "only#1")
