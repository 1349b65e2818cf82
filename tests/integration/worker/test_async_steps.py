"""`async def` handlers: many at once on one event loop, none of which holds a thread or disturbs another."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from engine.events.state import COMPLETED, FAILED
from engine.events.types import EMIT, LOG, STATE, STEP_FAILED, STEP_LOST, STEP_STARTED
from engine.execution.capture import RecordsToLog
from engine.worker import process
from tests.support.prints import prints_to_log
from tests.support.wait import wait_until
from tests.support.worker import PAYLOAD_BYTES, Step, alone, assert_recorded_once, chain, flow

#: No lease runs out while a test runs.
NEVER_MS = 600_000


async def until(condition):
    """Wait on the loop for what happens elsewhere."""
    for _ in range(4_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("waited 20 s in vain")


class Crowd:
    """Handlers that wait until so many of them have come; `most` were here at once."""

    def __init__(self, count):
        self.count = count
        self.now = self.most = self.come = 0

    async def __call__(self, job, ctx):
        self.come += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await until(lambda: self.come >= self.count)
        self.now -= 1
        return job.data["n"]


def crowded(crowd, name="crowd"):
    async def handler(job, ctx):
        return await crowd(job, ctx)

    return alone(handler, name)


def test_500_handlers_wait_at_once_in_a_process_of_one_thread(workshop):
    crowd = Crowd(500)
    many = crowded(crowd)
    ids = workshop.start_many(many, 500)
    workshop.work(many, threads=1, async_steps=500)
    assert [run.result for run in workshop.all_ended(ids)] == list(range(500))
    assert crowd.most == 500


def test_no_more_handlers_wait_at_once_than_the_setting_says(workshop):
    crowd = Crowd(20)
    many = crowded(crowd)
    ids = workshop.start_many(many, 100)
    workshop.work(many, threads=1, async_steps=20)
    assert {run.status for run in workshop.all_ended(ids)} == {COMPLETED}
    assert crowd.most == 20


async def double(job, ctx):
    await asyncio.sleep(0.001)
    ctx.flow.emit("doubled", 2 * job.data)


def spread(job, ctx):
    for n in range(job.data):
        ctx.flow.emit("item", n)


def mixed(**queues):
    """Ordinary and `async def` steps in turn: spread, double, add one, collect."""

    async def total(job, ctx):
        await asyncio.sleep(0)
        return sorted(job.data)

    return flow(
        "mixed",
        {
            "spread": Step(spread, emits=("item",)),
            "double": Step(double, on=("item",), emits=("doubled",), **queues),
            "add": Step(
                lambda job, ctx: ctx.flow.emit("added", job.data + 1),
                on=("doubled",),
                emits=("added",),
                **queues,
            ),
            "total": Step(total, collect="added"),
        },
    )


@pytest.mark.parametrize("queues", [{}, {"queue": "shared"}], ids=["own queues", "shared queue"])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("width", [3, 150])
def test_ordinary_and_async_steps_follow_each_other(workshop, width, workers, queues):
    both = mixed(**queues)
    for _ in range(workers):
        workshop.work(both, threads=2, async_steps=10)
    run = workshop.run(both, width)
    assert run.result == [2 * n + 1 for n in range(width)]
    assert run.created == {"spread": 1, "double": width, "add": width, "total": 1}


def test_an_async_join_is_given_its_payloads(workshop):
    async def begin(job, ctx):
        ctx.flow.emit("a", 1)
        ctx.flow.emit("b", {"n": 2})

    async def both(job, ctx):
        return [job.data, job.event]

    joined = flow("joined", {"begin": Step(begin, emits=("a", "b")), "both": Step(both, all=("a", "b"))})
    workshop.work(joined)
    assert workshop.run(joined).result == [{"a": 1, "b": {"n": 2}}, "b"]


def test_an_input_that_cannot_be_gathered_fails_an_async_step_without_a_frame_of_the_engine(workshop):
    async def both(job, ctx):
        return job.data

    joined = flow(
        "joined",
        {
            "begin": Step(lambda job, ctx: ctx.flow.emit("a", 1), emits=("a",)),
            "middle": Step(lambda job, ctx: ctx.flow.emit("b", "x" * 10), on=("a",), emits=("b",)),
            "both": Step(both, all=("a", "b")),
        },
    )
    workshop.work(joined, gather_bytes=12)
    run = workshop.run(joined)
    assert (run.status, run.failed_step) == (FAILED, "both")
    assert run.error == {
        "type": "PayloadError",
        "message": "the input of step `both` has more than 12 bytes: raise `limits.gather_bytes`, "
        "or emit references to what is kept elsewhere",
    }


def test_a_handler_is_told_who_it_is_and_reads_by_awaiting(workshop):
    async def begin(job, ctx):
        await ctx.state.set("k", {"a": [1]})
        await ctx.state.set("gone", 1)
        ctx.flow.emit("told", await ctx.flow.input)

    async def after(job, ctx):
        seen = [await ctx.state.get("k"), await ctx.state.get("nothing", "default")]
        await ctx.state.delete("gone")
        seen += [await ctx.state.get("gone"), await ctx.state.incr("n"), await ctx.state.incr("n", 2.5)]
        ctx.logger.info("a line", data={"n": 1})
        ctx.progress(0.5)
        return [job.data, await ctx.flow.input, ctx.flow.name, ctx.idempotency_key, *seen]

    two = flow("two", {"begin": Step(begin, emits=("told",)), "after": Step(after, on=("told",))})
    workshop.work(two)
    run = workshop.run(two, {"x": 1})
    key = f"{run.run_id}/after/0.1.0"
    assert run.result == [{"x": 1}, {"x": 1}, "two", key, {"a": [1]}, "default", None, 1, 3.5]
    assert run.handler_state == {"k": {"a": [1]}, "n": 3.5}
    assert [event.data["message"] for event in workshop.events(run.run_id, LOG)] == ["a line", "50%"]
    assert len(workshop.events(run.run_id, STATE)) == 5


def test_tasks_of_one_handler_count_exactly_and_see_what_they_did(workshop):
    async def handler(job, ctx):
        await asyncio.gather(*(ctx.state.incr("n", n) for n in range(50)), ctx.state.set("m", 7))
        return [await ctx.state.get("n"), await ctx.state.get("m")]

    counting = alone(handler)
    workshop.work(counting)
    run = workshop.run(counting)
    assert run.result == [sum(range(50)), 7]
    assert run.handler_state == {"n": sum(range(50)), "m": 7}


def test_what_a_handler_sees_of_a_key_that_two_of_its_tasks_change_is_what_is_recorded(workshop):
    async def handler(job, ctx):
        await asyncio.gather(ctx.state.incr("n"), ctx.state.set("n", 10), ctx.state.incr("n", 100))
        return await ctx.state.get("n")

    counting = alone(handler)
    workshop.work(counting)
    for run in workshop.all_ended(workshop.start_many(counting, 20)):
        assert run.handler_state == {"n": run.result}


def test_sums_of_many_steps_are_exact(workshop):
    async def count(job, ctx):
        await ctx.state.incr("sum", job.data)

    counting = flow("counting", {"begin": Step(spread, emits=("item",)), "count": Step(count, on=("item",))})
    for _ in range(2):
        workshop.work(counting, async_steps=50)
    run = workshop.run(counting, 300)
    assert run.handler_state == {"sum": sum(range(300))}


def test_lines_and_prints_belong_to_the_step_that_made_them_however_they_interleave(workshop, capsys):
    told = logging.getLogger("users.own")
    crowd = Crowd(30)

    async def handler(job, ctx):
        n = job.data["n"]
        print(f"first {n}")
        print(f"half {n}", end=" ")
        await crowd(job, ctx)
        told.warning("record %d", n)
        await asyncio.to_thread(print, f"line {n}")
        await asyncio.gather(*(asyncio.to_thread(told.warning, "thread %d", n) for _ in range(2)))
        ctx.logger.info(f"last {n}")

    talkative = alone(handler)
    ids = workshop.start_many(talkative, 30)
    listener = RecordsToLog()
    told.addHandler(listener)
    try:
        with prints_to_log():
            workshop.work(talkative, threads=1)
            workshop.all_ended(ids)
    finally:
        told.removeHandler(listener)
    for n, run_id in enumerate(ids):
        said = [event.data["message"] for event in workshop.events(run_id, LOG)]
        assert said == [
            f"first {n}",
            f"record {n}",
            f"half {n} line {n}",
            f"thread {n}",
            f"thread {n}",
            f"last {n}",
        ]
    assert "first" not in capsys.readouterr().out


def raising(error):
    async def handler(job, ctx):
        await asyncio.sleep(0)
        raise error

    return handler


async def too_slow(job, ctx):
    async with asyncio.timeout(0.01):
        await asyncio.sleep(20)


async def cancels_itself(job, ctx):
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(20)


async def awaits_what_is_cancelled(job, ctx):
    other = asyncio.create_task(asyncio.sleep(20))
    other.cancel()
    await other


async def fails_in_a_group(job, ctx):
    async with asyncio.TaskGroup() as group:
        group.create_task(raising(ValueError("inside"))(job, ctx))
        group.create_task(asyncio.sleep(20))


async def exits_in_a_task(job, ctx):
    async def leave():
        raise SystemExit(3)

    await asyncio.gather(leave())


BROKEN = [
    (raising(ValueError("no card")), "ValueError"),
    (raising(asyncio.CancelledError()), "CancelledError"),
    (raising(SystemExit(3)), "SystemExit"),
    (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
    (raising(GeneratorExit()), "GeneratorExit"),
    (raising(StopAsyncIteration()), "StopAsyncIteration"),
    (too_slow, "TimeoutError"),
    (cancels_itself, "CancelledError"),
    (awaits_what_is_cancelled, "CancelledError"),
    (fails_in_a_group, "ExceptionGroup"),
    (exits_in_a_task, "SystemExit"),
]


@pytest.mark.parametrize(("handler", "kind"), BROKEN)
def test_whatever_a_handler_raises_fails_its_step_and_the_loop_goes_on(workshop, handler, kind):
    broken, fine = alone(handler, "broken"), alone(double, "fine", emits=["doubled"])
    workshop.work(broken, fine, threads=1)
    run = workshop.run(broken)
    assert (run.status, run.failed_step) == (FAILED, "only")
    assert run.error["type"] == kind
    assert [event.attempt for event in workshop.events(run.run_id, STEP_FAILED)] == [1]
    assert "test_async_steps.py" in run.error["traceback"]
    assert "engine/execution" not in run.error["traceback"]
    assert workshop.run(fine, 1).status == COMPLETED
    assert workshop.deaths == []


def test_a_handler_that_is_not_awaited_to_its_end_by_itself_leaves_no_step_open(workshop):
    """What a handler starts and forgets is not waited for: the step ends with the handler."""
    forgotten = []

    async def handler(job, ctx):
        forgotten.append(asyncio.create_task(asyncio.sleep(60)))
        return "done"

    careless = alone(handler)
    worker = workshop.work(careless)
    assert workshop.run(careless).result == "done"
    worker.stop(1_000)
    wait_until(forgotten[0].cancelled, saw=lambda: forgotten)


def test_a_fault_that_the_handler_caught_still_counts(workshop):
    async def handler(job, ctx):
        try:
            ctx.flow.emit("secret")
        except Exception:
            return "all is well"

    broken = alone(handler, emits=["open"])
    workshop.work(broken)
    run = workshop.run(broken)
    assert (run.status, run.error["type"]) == (FAILED, "EmitNotDeclared")


def test_an_async_step_fans_out_widely(workshop):
    async def wide(job, ctx):
        for n in range(job.data):
            ctx.flow.emit("item", n)
            if n % 100 == 0:
                await asyncio.sleep(0)

    async def report(job, ctx):
        return sorted(job.data)

    fan = flow(
        "fan",
        {
            "wide": Step(wide, emits=("item",)),
            "double": Step(double, on=("item",), emits=("doubled",)),
            "report": Step(report, collect="doubled"),
        },
    )
    workshop.work(fan, threads=1, async_steps=100)
    workshop.work(fan, threads=1, async_steps=100)
    run = workshop.run(fan, 1_000, timeout_s=30)
    assert run.result == [2 * n for n in range(1_000)]
    assert len(workshop.events(run.run_id, EMIT)) == 2_000


def test_results_of_many_megabytes_wait_for_each_other_beside_the_loop(workshop):
    value = "x" * (PAYLOAD_BYTES - 2)

    async def handler(job, ctx):
        return value

    large = alone(handler)
    ids = workshop.start_many(large, 60)
    workshop.work(large, threads=1, async_steps=60)
    assert all(run.result == value for run in workshop.all_ended(ids))


def test_a_step_that_waits_longer_than_its_lease_keeps_it(workshop):
    opened = threading.Event()

    async def handler(job, ctx):
        await until(opened.is_set)
        return "through"

    slow = alone(handler)
    ids = workshop.start_many(slow, 20)
    workshop.work(slow, threads=1, lease_ms=1_000)
    wait_until(lambda: all(workshop.events(run_id, STEP_STARTED) for run_id in ids))
    workshop.pass_time(3_000)
    opened.set()
    for run in workshop.all_ended(ids):
        assert run.result == "through"
        assert workshop.events(run.run_id, STEP_LOST) == []


def test_threads_that_are_all_busy_do_not_hold_the_loop_up(workshop):
    begun, opened = threading.Semaphore(0), threading.Event()

    def blocks(job, ctx):
        begun.release()
        assert opened.wait(30)

    blocked, quick = alone(blocks, "blocked"), mixed_alone()
    blocked_ids = workshop.start_many(blocked, 8)
    workshop.work(blocked, quick, threads=2, async_steps=5)
    for _ in range(2):
        assert begun.acquire(timeout=10)
    ids = [workshop.start(quick, n) for n in range(50)]
    assert [run.status for run in workshop.all_ended(ids)] == [COMPLETED] * 50
    assert not any(workshop.state(run_id).is_over for run_id in blocked_ids)
    opened.set()
    workshop.all_ended(blocked_ids)


def mixed_alone():
    return alone(double, "quick", emits=["doubled"])


def test_a_loop_that_is_full_does_not_hold_the_threads_up(workshop):
    begun, opened = threading.Semaphore(0), threading.Event()

    async def waits(job, ctx):
        begun.release()
        await until(opened.is_set)

    waiting, three = alone(waits, "waiting"), chain()
    waiting_ids = workshop.start_many(waiting, 8)
    workshop.work(waiting, three, threads=2, async_steps=2)
    for _ in range(2):
        assert begun.acquire(timeout=10)
    assert {run.status for run in workshop.all_ended(workshop.start_many(three, 50))} == {COMPLETED}
    assert not any(workshop.state(run_id).is_over for run_id in waiting_ids)
    opened.set()
    workshop.all_ended(waiting_ids)


@pytest.fixture
def patient(monkeypatch):
    """A fetcher that blocks waits longer than any test: whatever it is not told it does not see."""
    monkeypatch.setattr(process, "_BLOCK_S", 80.0)


@pytest.mark.usefixtures("patient")
def test_a_place_of_the_loop_that_comes_back_while_the_fetcher_blocks_is_used(workshop):
    quick = mixed_alone()
    workshop.work(quick, threads=1, async_steps=1, lease_ms=NEVER_MS)
    ids = [workshop.start(quick, n) for n in range(40)]
    assert [run.status for run in workshop.all_ended(ids, timeout_s=20)] == [COMPLETED] * 40


@pytest.mark.usefixtures("patient")
def test_a_thread_that_an_async_step_has_taken_over_from_is_used(workshop):
    """The second run's ordinary step is what the first run's `async def` waits for."""
    begun = []

    def first(job, ctx):
        begun.append(ctx.flow.run_id)
        ctx.flow.emit("told")

    async def second(job, ctx):
        await until(lambda: len(begun) == 12)

    two = flow("two", {"first": Step(first, emits=("told",)), "second": Step(second, on=("told",))})
    ids = workshop.start_many(two, 12)
    workshop.work(two, threads=1, async_steps=20, lease_ms=NEVER_MS)
    assert [run.status for run in workshop.all_ended(ids, timeout_s=20)] == [COMPLETED] * 12


@pytest.mark.usefixtures("patient")
def test_a_place_of_the_loop_that_a_thread_takes_over_from_is_used(workshop):
    """The other way round: the first run's ordinary step waits for the last run's `async def`."""
    begun, all_begun = [], threading.Event()

    async def first(job, ctx):
        begun.append(ctx.flow.run_id)
        if len(begun) == 8:
            all_begun.set()
        ctx.flow.emit("told")

    def second(job, ctx):
        assert all_begun.wait(20)

    two = flow("two", {"first": Step(first, emits=("told",)), "second": Step(second, on=("told",))})
    ids = workshop.start_many(two, 8)
    workshop.work(two, threads=1, async_steps=1, lease_ms=NEVER_MS)
    assert [run.status for run in workshop.all_ended(ids, timeout_s=20)] == [COMPLETED] * 8


def test_a_run_of_an_older_version_whose_step_was_an_ordinary_function_is_done_beside_the_loop(workshop):
    loop_goes_on = threading.Event()

    def old(job, ctx):
        print("by the old one")
        assert loop_goes_on.wait(20)
        return "old"

    async def new(job, ctx):
        loop_goes_on.set()
        return "new"

    before = flow("changed", {"only": Step(old, options={"handler": "handlers.changed:old"})})
    after = flow("changed", {"only": Step(new)})
    old_run = workshop.start(before)
    with prints_to_log():
        workshop.work(before, after, threads=1)
        wait_until(lambda: workshop.events(old_run, STEP_STARTED))
        assert workshop.run(after).result == "new"
        assert workshop.ended(old_run).result == "old"
    assert [event.data["message"] for event in workshop.events(old_run, LOG)] == ["by the old one"]
    assert_recorded_once(workshop.events(old_run), "only#1")
