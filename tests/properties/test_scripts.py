"""The real scripts beside a model: any order of calls, and calls that come twice, late or from the dead."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from hypothesis import settings

from engine.compile.plan import Plan
from engine.control.deploy import deploy
from engine.events.types import SETTLING
from engine.store import ledger, queue
from engine.store.connection import Call, Store
from engine.store.queue import LeasedJob
from tests.support.books import audit, keys_of
from tests.support.model import ModelRun
from tests.support.store import LEASE_MS, Answer, Driver, add, logged
from tests.support.strategies import random_plan

T = TypeVar("T")

#: Losses after which a job is failed by whoever sweeps.
MAX_LOSSES = 2

#: Answers to a call that must not have written anything.
REFUSALS = {"SETTLED", "FENCED", "ENDED", "DUP", "STALE", "GAP"}

#: How often each move is made, in relation to the others.
WEIGHTS = {
    "start": 3,
    "fetch": 12,
    "commit": 3,
    "emit": 12,
    "fail": 1,
    "report": 3,
    "release": 3,
    "time_passes": 1,
    "lose": 3,
    "come_back": 3,
    "late_copy": 4,
}


class Move(NamedTuple):
    """What happens next; what it is about is picked by `number` from what there is, if there is anything."""

    name: str
    number: int
    size: int
    choices: list[int]
    flag: bool


def random_moves(chance: random.Random) -> list[Move]:
    """The moves of one example."""
    names = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=chance.randint(10, 60))
    return [
        Move(
            name,
            chance.randrange(1_000),
            chance.randrange(4),
            chance.choices((0, 1), k=chance.randint(1, 3)),
            chance.random() < 0.5,
        )
        for name in names
    ]


@dataclass
class Held:
    """A job in the hands of a worker, and how many of its events the store has."""

    driver: Driver
    job: LeasedJob
    acked: int = 0


def pick(items: list[T], number: int) -> T | None:
    return items[number % len(items)] if items else None


class World:
    """Two workers, of which one sweeps, some runs, and a network that repeats itself."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self.store = store
        self.plan = plan
        deploy(store, plan, source="", mode="serve")
        self.drivers = [Driver(store, plan, name=name) for name in ("w0", "w1")]
        self.runs: dict[str, ModelRun] = {}
        self.held: list[Held] = []
        self.lost: list[Held] = []
        self.sent: list[Call] = []
        self.checked: tuple[int, ...] = ()

    def send(self, driver: Driver, call: Call) -> Answer:
        self.sent.append(call)
        return driver.send(call)

    def lengths(self) -> dict[str, int]:
        with self.store.talking() as client:
            return {run_id: client.xlen(self.store.keys.log(run_id)) for run_id in self.runs}

    def receive(self, driver: Driver, jobs: list[LeasedJob]) -> None:
        for job in jobs:
            self.runs[job.run_id].lease(job.step_id, job.attempt)
            self.held.append(Held(driver, job))

    def start(self, _: Move) -> None:
        run_id = f"r{len(self.runs)}"
        assert self.drivers[0].start(run_id, run_id=run_id).is_new
        assert not self.drivers[1].start("again", run_id=run_id).is_new
        self.runs[run_id] = ModelRun(self.plan)

    def fetch(self, move: Move) -> None:
        """Now and then the reply is lost, and the same call made again."""
        driver = self.drivers[move.number % 2]
        jobs = driver.fetch(room=move.size)
        assert len(jobs) <= move.size
        if move.flag:
            assert driver.fetch(room=move.size, seq=driver.seq) == jobs
        self.sent.append(queue.fetch(driver.name, seq=driver.seq, room=3, lease_ms=LEASE_MS, ttl_ms=LEASE_MS))
        self.receive(driver, jobs)

    def commit(self, move: Move) -> None:
        held = pick(self.held, move.number)
        if held is not None:
            self.settle(held, emits=[], added=move.size, is_skipped=move.flag, again=move.size)

    def emit(self, move: Move) -> None:
        held = pick([it for it in self.held if self.plan.steps[it.job.step].emits], move.number)
        if held is not None:
            declared = self.plan.steps[held.job.step].emits
            events = [declared[choice % len(declared)] for choice in move.choices]
            self.settle(held, emits=events, added=move.size, is_taking=move.flag, again=move.size)

    def settle(
        self,
        held: Held,
        *,
        emits: list[str],
        added: int = 0,
        is_skipped: bool = False,
        is_taking: bool = False,
        again: int = 0,
    ) -> None:
        driver, job, run = held.driver, held.job, self.runs[held.job.run_id]
        token = driver.token() if is_taking else ""
        result = len(self.sent)
        call = driver.commit_call(
            job,
            emits=[(event, f"{job.step_id} {event}") for event in emits],
            changes=[add("n", added)] if added else [],
            events=logged("last"),
            first=held.acked,
            result=result,
            kind="skipped" if is_skipped else "completed",
            take=token,
        )
        answer = self.send(driver, call)
        assert answer.word == "OK"
        self.held.remove(held)
        run.lines += 1
        run.commit(job.step_id, emits=emits, added=added, result=result, is_skipped=is_skipped)
        if answer.rest:
            self.receive(driver, [driver.taken(answer, token)])
        for _ in range(again):
            assert driver.send(call) == (("ENDED" if run.is_over else "SETTLED"), answer.rest)

    def fail(self, move: Move) -> None:
        held = pick(self.held, move.number)
        if held is None:
            return
        call = held.driver.fail_call(
            held.job, message=held.job.step_id, events=logged("oh"), first=held.acked
        )
        assert self.send(held.driver, call).word == "OK"
        self.held.remove(held)
        self.runs[held.job.run_id].lines += 1
        self.runs[held.job.run_id].fail(held.job.step_id)
        if move.flag:
            assert held.driver.send(call).word in ("SETTLED", "ENDED")

    def report(self, move: Move) -> None:
        """Some events may have been recorded before; where there is a hole, the store asks for them."""
        held = pick(self.held, move.number)
        if held is None:
            return
        if move.flag:
            hole = ledger.report(held.job, first=held.acked + 1, events=logged("x"))
            assert held.driver.send(hole) == ("GAP", [held.acked])
        first = max(0, held.acked - len(move.choices))
        names = [f"line {k}" for k in range(first, held.acked + move.size)]
        assert (
            self.send(held.driver, ledger.report(held.job, first=first, events=logged(*names))).word == "OK"
        )
        held.acked += move.size
        self.runs[held.job.run_id].lines += move.size

    def release(self, move: Move) -> None:
        held = pick(self.held, move.number)
        if held is None:
            return
        call = queue.release(held.job, delay_ms=30_000 if move.size == 3 else 0)
        assert self.send(held.driver, call).word == "OK"
        self.held.remove(held)
        self.runs[held.job.run_id].release(held.job.step_id)
        if move.flag:
            assert held.driver.send(call).word in ("DUP", "SETTLED", "ENDED")

    def time_passes(self, _: Move) -> None:
        """What is delayed falls due."""
        prefix = self.store.keys.prefix
        with self.store.talking() as client:
            for name in self.plan.queues:
                for job_id in client.zrange(f"{prefix}:queue:{name}:delayed", 0, -1):
                    client.zadd(f"{prefix}:queue:{name}:delayed", {job_id: 1})
                    client.zadd(f"{prefix}:timers", {f"d {name}": 1})
        assert self.drivers[0].promote() == -1

    def lose(self, move: Move) -> None:
        held = pick(self.held, move.number)
        if held is None:
            return
        self.held.remove(held)
        self.lost.append(held)
        run = self.runs[held.job.run_id]
        is_exhausted = run.status == "running" and held.job.losses + 1 >= MAX_LOSSES
        swept = self.drivers[0].lose(held.job, max_losses=MAX_LOSSES)
        assert swept.lost == 1
        assert [job[:2] for job in swept.exhausted] == ([held.job[:2]] if is_exhausted else [])
        if is_exhausted:
            self.held.append(Held(self.drivers[0], swept.exhausted[0]))
        else:
            run.lose(held.job.step_id)

    def come_back(self, move: Move) -> None:
        """A worker that was frozen goes on with what it had."""
        held = pick(self.lost, move.number)
        if held is None:
            return
        before = self.lengths()
        assert held.driver.renew(held.job) == ["lost"]
        call = (
            held.driver.commit_call(held.job, changes=[add("n", 1)], events=logged("x")),
            held.driver.fail_call(held.job),
            queue.release(held.job),
            ledger.report(held.job, first=0, events=logged("x")),
        )[move.size]
        assert self.send(held.driver, call).word in REFUSALS
        assert self.lengths() == before

    def late_copy(self, move: Move) -> None:
        call = pick(self.sent, move.number)
        if call is not None:
            before = self.lengths()
            assert self.drivers[0].send(call).word in REFUSALS | {"OK"}
            assert self.lengths() == before

    def check(self) -> None:
        """The books agree with the logs, and both with the model; looked at after each call that was new."""
        calls = (len(self.sent), len(self.runs), *(driver.seq for driver in self.drivers))
        if calls == self.checked:
            return
        self.checked = calls
        audit(self.store)
        for held in self.held:
            is_running = self.runs[held.job.run_id].status == "running"
            assert held.driver.renew(held.job) == ["kept" if is_running else "ending"]
        for run_id, model in self.runs.items():
            run = self.drivers[0].state(run_id)
            due = {it.step_id for it in run.activations.values() if it.is_open}
            assert (run.status, run.created) == (model.status, model.created)
            assert (run.handler_state, run.failed_step) == (model.values, model.failed_step)
            assert run.logs == model.lines
            assert model.status != "running" or due == model.waiting | model.leased
            assert model.status != "failing" or due >= model.leased
            assert model.status != "completed" or run.result == model.result
            settled = [it.step_id for it in self.drivers[0].log(run_id) if it.type in SETTLING]
            assert settled == model.settled

    def work_to_the_end(self) -> None:
        """However it came here: with workers that do their work, every run ends."""
        idle = Move("fetch", 0, 3, [], False)
        for _ in range(1_000):
            while self.held:
                self.settle(self.held[0], emits=[])
            if all(run.is_over for run in self.runs.values()):
                break
            self.time_passes(idle)
            self.fetch(idle)
        self.check()
        assert all(run.is_over for run in self.runs.values()), self.runs
        self.time_passes(idle)
        assert self.drivers[0].fetch(room=50) == []


def test_whatever_comes_in_whatever_order_the_books_agree_and_every_run_ends(server):
    """By seeds of its own: what Hypothesis draws is far from even, and shrinking would take minutes."""
    profile = settings.default
    assert profile is not None
    for seed in range(profile.max_examples // 2):
        chance = random.Random(seed)
        store = Store(server.url, address=f"seed {seed}", prefix=f"m{seed}", events_max_len=100_000)
        with closing(store):
            world = World(store, random_plan(chance))
            for move in (Move("start", 0, 0, [], False), *random_moves(chance)):
                getattr(world, move.name)(move)
                world.check()
            world.work_to_the_end()
            with store.talking() as client:
                client.unlink(*keys_of(store))
