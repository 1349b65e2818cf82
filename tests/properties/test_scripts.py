"""The real scripts beside a model: any order of calls, and calls that come twice, late or from the dead."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.control.deploy import deploy
from engine.events.types import SETTLING
from engine.store import ledger, queue
from engine.store.connection import Call, Store
from engine.store.queue import LeasedJob
from tests.support.books import audit, keys_of
from tests.support.model import ModelRun
from tests.support.store import LEASE_MS, Answer, Driver, add, logged
from tests.support.strategies import plans

#: Losses after which a job is failed by whoever sweeps.
MAX_LOSSES = 3

#: Answers to a call that must not have written anything.
REFUSALS = {"SETTLED", "FENCED", "ENDED", "DUP", "STALE", "GAP"}

numbers = st.integers(0, 10_000)


@dataclass
class Held:
    """A job in the hands of a worker, and how many of its events the store has."""

    driver: Driver
    job: LeasedJob
    acked: int = 0


class Interleavings(RuleBasedStateMachine):
    """Two workers, a sweeper and a network that repeats itself."""

    url = ""
    prefixes = itertools.count(1)

    @initialize(plan=plans())
    def prepare(self, plan):
        prefix = f"m{next(self.prefixes)}"
        self.store = Store(self.url, address="here", prefix=prefix, events_max_len=100_000)
        self.plan = plan
        deploy(self.store, plan, source="", mode="serve")
        self.drivers = [Driver(self.store, plan, name=name) for name in ("w0", "w1")]
        self.runs: dict[str, ModelRun] = {}
        self.held: list[Held] = []
        self.lost: list[Held] = []
        self.sent: list[Call] = []

    def send(self, driver: Driver, call: Call) -> Answer:
        self.sent.append(call)
        return driver.send(call)

    def run_of(self, job: LeasedJob) -> ModelRun:
        return self.runs[job.run_id]

    def lengths(self) -> dict[str, int]:
        with self.store.talking() as client:
            return {run_id: client.xlen(self.store.keys.log(run_id)) for run_id in self.runs}

    def pick(self, items: list[Any], number: int) -> Any:
        return items[number % len(items)]

    def receive(self, driver: Driver, jobs: list[LeasedJob]) -> None:
        for job in jobs:
            self.run_of(job).lease(job.step_id)
            self.held.append(Held(driver, job))

    @precondition(lambda self: len(self.runs) < 3)
    @rule()
    def start(self):
        run_id = f"r{len(self.runs)}"
        assert self.drivers[0].start(run_id, run_id=run_id).is_new
        assert not self.drivers[1].start("again", run_id=run_id).is_new
        self.runs[run_id] = ModelRun(self.plan)

    @rule(which=st.integers(0, 1), room=st.integers(0, 4), is_reply_lost=st.booleans())
    def fetch(self, which, room, is_reply_lost):
        driver = self.drivers[which]
        jobs = driver.fetch(room=room)
        assert len(jobs) <= room
        if is_reply_lost:
            assert driver.fetch(room=room, seq=driver.seq) == jobs
        self.sent.append(
            queue.fetch(driver.name, seq=driver.seq, room=room, lease_ms=LEASE_MS, ttl_ms=LEASE_MS)
        )
        self.receive(driver, jobs)

    @precondition(lambda self: self.held)
    @rule(number=numbers, emits=st.lists(numbers, max_size=3), added=st.integers(0, 3), data=st.data())
    def commit(self, number, emits, added, data):
        held = self.pick(self.held, number)
        driver, job, run = held.driver, held.job, self.run_of(held.job)
        declared = self.plan.steps[job.step].emits
        events = [declared[choice % len(declared)] for choice in emits] if declared else []
        is_skipped = not events and not added and data.draw(st.booleans(), label="skip")
        token = driver.token() if data.draw(st.booleans(), label="take") else ""
        call = driver.commit_call(
            job,
            emits=[(event, f"{job.step_id} {event}") for event in events],
            changes=[add("n", added)] if added else [],
            events=logged("last"),
            first=held.acked,
            result=number,
            kind="skipped" if is_skipped else "completed",
            take=token,
        )
        answer = self.send(driver, call)
        assert answer.word == "OK"
        self.held.remove(held)
        run.commit(job.step_id, emits=events, added=added, result=number, is_skipped=is_skipped)
        if answer.rest:
            self.receive(driver, [driver.taken(answer, token)])
        for _ in range(data.draw(st.integers(0, 2), label="again")):
            again = driver.send(call)
            assert again == (("ENDED" if run.is_over else "SETTLED"), answer.rest)

    @precondition(lambda self: self.held)
    @rule(number=numbers, is_again=st.booleans())
    def fail(self, number, is_again):
        held = self.pick(self.held, number)
        call = held.driver.fail_call(
            held.job, message=held.job.step_id, events=logged("oh"), first=held.acked
        )
        assert self.send(held.driver, call).word == "OK"
        self.held.remove(held)
        self.run_of(held.job).fail(held.job.step_id)
        if is_again:
            assert held.driver.send(call).word in ("SETTLED", "ENDED")

    @precondition(lambda self: self.held)
    @rule(number=numbers, lines=st.integers(0, 3), overlap=st.integers(0, 2), has_hole=st.booleans())
    def report(self, number, lines, overlap, has_hole):
        held = self.pick(self.held, number)
        names = [f"line {k}" for k in range(held.acked + lines)]
        if has_hole and lines:
            call = ledger.report(held.job, first=held.acked + lines, events=logged("x"))
            assert self.send(held.driver, call) == ("GAP", [held.acked])
            # A late copy of this one may find the hole filled, and is then an event like any other.
            self.sent.pop()
        first = max(0, held.acked - overlap)
        call = ledger.report(held.job, first=first, events=logged(*names[first:]))
        assert self.send(held.driver, call).word == "OK"
        held.acked += lines

    @precondition(lambda self: self.held)
    @rule(number=numbers, delay_ms=st.sampled_from([0, 0, 30_000]), is_again=st.booleans())
    def release(self, number, delay_ms, is_again):
        held = self.pick(self.held, number)
        call = queue.release(held.job, delay_ms=delay_ms)
        assert self.send(held.driver, call).word == "OK"
        self.held.remove(held)
        self.run_of(held.job).give_back(held.job.step_id)
        if is_again:
            assert held.driver.send(call).word in ("DUP", "SETTLED", "ENDED")

    @rule()
    def time_passes_for_what_is_delayed(self):
        prefix = self.store.keys.prefix
        with self.store.talking() as client:
            for name in self.plan.queues:
                for job_id in client.zrange(f"{prefix}:queue:{name}:delayed", 0, -1):
                    client.zadd(f"{prefix}:queue:{name}:delayed", {job_id: 1})
                    client.zadd(f"{prefix}:timers", {f"d {name}": 1})
        assert self.drivers[0].promote() == -1

    @precondition(lambda self: self.held)
    @rule(number=numbers)
    def lose(self, number):
        held = self.pick(self.held, number)
        self.held.remove(held)
        self.lost.append(held)
        run = self.run_of(held.job)
        was_running = run.status == "running"
        sweeper = self.drivers[0]
        swept = sweeper.lose(held.job, max_losses=MAX_LOSSES)
        assert swept.lost == 1
        if was_running and held.job.losses + 1 >= MAX_LOSSES:
            (exhausted,) = swept.exhausted
            assert exhausted[:2] == held.job[:2]
            self.held.append(Held(sweeper, exhausted))
        else:
            assert swept.exhausted == []
            run.give_back(held.job.step_id)

    @precondition(lambda self: self.lost)
    @rule(number=numbers, how=st.sampled_from(["commit", "fail", "release", "report", "renew"]))
    def the_dead_come_back(self, number, how):
        held = self.pick(self.lost, number)
        before = self.lengths()
        if how == "renew":
            assert held.driver.renew(held.job) == ["lost"]
        else:
            call = {
                "commit": held.driver.commit_call(held.job, changes=[add("n", 1)], events=logged("x")),
                "fail": held.driver.fail_call(held.job),
                "release": queue.release(held.job),
                "report": ledger.report(held.job, first=0, events=logged("x")),
            }[how]
            assert self.send(held.driver, call).word in REFUSALS
        assert self.lengths() == before

    @precondition(lambda self: self.sent)
    @rule(number=numbers)
    def a_copy_comes_late(self, number):
        call = self.pick(self.sent, number)
        before = self.lengths()
        answer = self.drivers[0].send(call)
        assert answer.word in REFUSALS | {"OK"}
        assert self.lengths() == before

    @precondition(lambda self: self.held)
    @rule(number=numbers)
    def renew(self, number):
        held = self.pick(self.held, number)
        expected = "kept" if self.run_of(held.job).status == "running" else "ending"
        assert held.driver.renew(held.job) == [expected]

    @invariant()
    def the_books_are_right_and_are_the_models(self):
        audit(self.store)
        for run_id, model in self.runs.items():
            run = self.drivers[0].state(run_id)
            due = {it.step_id for it in run.activations.values() if it.is_open}
            assert (run.status, run.created) == (model.status, model.created)
            assert run.handler_state == model.values
            assert run.failed_step == model.failed_step
            assert model.leased <= due or model.is_over
            if model.status == "running":
                assert due == model.waiting | model.leased
            if model.status == "completed":
                assert run.result == model.result
            settled = [it.step_id for it in self.drivers[0].log(run_id) if it.type in SETTLING]
            assert settled == model.settled

    def teardown(self):
        """However it came here: with workers that do their work, every run ends."""
        try:
            for _ in range(1_000):
                while self.held:
                    self.commit_plainly(self.held[0])
                if all(run.is_over for run in self.runs.values()):
                    break
                self.time_passes_for_what_is_delayed()
                self.receive(self.drivers[0], self.drivers[0].fetch(room=5))
            self.the_books_are_right_and_are_the_models()
            assert all(run.is_over for run in self.runs.values()), self.runs
            self.time_passes_for_what_is_delayed()
            assert self.drivers[0].fetch(room=50) == []
        finally:
            with self.store.talking() as client:
                client.unlink(*keys_of(self.store))
            self.store.close()

    def commit_plainly(self, held: Held) -> None:
        self.held.remove(held)
        assert held.driver.commit(held.job, first=held.acked).word == "OK"
        self.run_of(held.job).commit(held.job.step_id, emits=[], added=0, result=None)


def test_whatever_comes_in_whatever_order_the_books_agree_and_every_run_ends(server):
    machine = type("Machine", (Interleavings,), {"url": server.url})
    profile = settings.default
    assert profile is not None
    chosen = settings(profile, max_examples=profile.max_examples // 4, stateful_step_count=30)
    run_state_machine_as_test(machine, settings=chosen)
