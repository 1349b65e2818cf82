"""A store with its runs, workers and a network, beside what the model says of them.

Theory of operation:

1. Every call is kept when it is sent, so that it can come again later.
2. What a call should do is done to the model, which knows nothing of the store; then both are compared.
3. Redis's clock is the test's, so that leases end by the real scripts and the same moves always do the same.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.compile.plan import Plan
from engine.control.deploy import deploy
from engine.events.codec import decode_json
from engine.store.connection import Call, Store
from engine.store.gather import Gather
from engine.store.queue import LeasedJob, Served, leased_job
from tests.support.books import contents
from tests.support.clock import Clock
from tests.support.model import Due, Emits, ModelRun
from tests.support.store import LEASE_MS, TS_MS, Answer, Driver

#: Bytes that joins and collects may gather.
GATHER_BYTES = 1 << 20

#: Dead ids that a fetch drops, at most; with more of them it may come back with nothing.
MANY_DEAD = 200

#: Scripts that know a second call by what is in it; the others go by the state that they find.
KNOWING = {"start", "fetch", "commit", "fail", "release", "report", "stage", "unfold", "deploy"}


class Wire(Store):
    """A store that remembers the calls made of it."""

    def __init__(self, url: str, *, prefix: str) -> None:
        super().__init__(url, address="here", prefix=prefix, events_max_len=100_000)
        self.sent: list[Call] = []

    def call(self, name: str, *args: Any) -> Any:
        """Call a script."""
        if name in KNOWING:
            self.sent.append((name, args))
        return super().call(name, *args)

    def call_again(self, call: Call) -> Answer:
        """Send a copy of a call."""
        raw = super().call(call[0], *call[1])
        return Answer(raw[0].decode(), raw[1:])


@dataclass(eq=False)
class Held:
    """A job in the hands of a worker, what the store has of its events, and what it has staged."""

    worker: Driver
    job: LeasedJob
    acked: int = 0
    staged: list[tuple[str, Any]] = field(default_factory=list)


class World:
    """What there is.

    Attributes:
        store: The real one.
        plan: The version of the flow that is in force.
        clock: What Redis's clock says.
        workers: The processes that ask for jobs; the second one's event loop does half of the queues, and
            the third one serves only some.
        runs: The model of each run.
        emitted: What the activations of each run have emitted, by step and path.
        hands: What workers hold, or held before it was taken from them without their knowing.
        limits: The limit of each queue.
        versions: The versions that have been in force.
        keys: The run that each once-key has started.
        swept_at_ms: When somebody has swept last.
        grace_until_ms: When leases may end again.
        given: Every job with each token that it was handed out under, in their order.
        counts: How often what has happened.
    """

    def __init__(self, store: Wire, plan: Plan) -> None:
        self.store = store
        self.plan = plan
        self.clock = Clock(store, now_ms=TS_MS)
        self.runs: dict[str, ModelRun] = {}
        self.emitted: dict[str, dict[tuple[str, str], Emits]] = {}
        self.hands: list[Held] = []
        self.limits = dict(plan.queues)
        self.versions = {plan.version}
        self.keys: dict[str, str] = {}
        self.swept_at_ms = self.grace_until_ms = 0
        self.counts: Counter[str] = Counter()
        self.gather = Gather(store)
        self.places: Iterator[int] = itertools.count(1)
        self._names: Iterator[int] = itertools.count()
        self.given: dict[tuple[str, str], None] = {}
        assert deploy(store, plan, source="", mode="serve").outcome == "new"
        names = tuple(sorted(plan.queues))
        serving = (Served(names, ()), Served(names[1::2], names[::2]), Served(names[:1], names[2:]))
        self.workers = [self.new_worker(served) for served in serving]

    def new_worker(self, served: Served) -> Driver:
        """A process that has just started."""
        return Driver(self.store, self.plan, name=f"w{next(self._names)}", served=served)

    def send(self, call: Call, *, again: bool = False) -> Answer:
        """Make a call; with `again` its answer is lost, and the same call is made once more."""
        raw = self.store.call(call[0], *call[1])
        answer = Answer(raw[0].decode(), raw[1:])
        if again:
            self.counts["answers lost"] += 1
            self.repeat(call, first=answer)
        return answer

    def repeat(self, call: Call, *, first: Answer | None = None) -> Answer:
        """Send a call that has been carried out before, or a copy of one: nothing may change."""
        before = contents(self.store)
        answer = self.store.call_again(call)
        after = contents(self.store)
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        if answer.word == "ENDED" and call[0] != "unfold":
            # The job of a run that is over is removed by whoever meets it.
            changed.discard(f"{self.store.keys.prefix}:job:{call[1][0]}/{call[1][1]}")
        assert not changed, f"{call} came again, answered {answer} and changed {sorted(changed)}"
        if first is not None:
            assert answer == first, f"{call}: first {first}, then {answer}"
        return answer

    def due(self, job: LeasedJob) -> Due:
        """The activation of a job."""
        return self.runs[job.run_id].due[job.step_id]

    def due_of(self, job_id: str) -> Due:
        """The activation of a job's id."""
        run_id, _, step_id = job_id.partition("/")
        return self.runs[run_id].due[step_id]

    def refusal(self, held: Held) -> str | None:
        """What a call about a job is answered that has been taken from its worker, or that is done with."""
        return self.runs[held.job.run_id].refusal(held.job.step_id, held.job.token)

    def running(self) -> list[ModelRun]:
        """The runs that have not ended."""
        return [run for run in self.runs.values() if not run.is_over]

    def has_work(self) -> bool:
        """Whether somebody has a job, or would be given one."""
        waiting, actives = self.waiting(), self.actives()
        return bool(self.mine()) or any(
            waiting[name] and (limit is None or actives[name] < limit) for name, limit in self.limits.items()
        )

    def mine(self) -> list[Held]:
        """What workers hold and may settle."""
        return [held for held in self.hands if self.refusal(held) is None]

    def stale(self) -> list[Held]:
        """What workers think that they hold."""
        return [held for held in self.hands if self.refusal(held) is not None]

    def leased(self) -> list[tuple[str, ModelRun, Due]]:
        """Everything that somebody has."""
        return [(run_id, run, due) for run_id, run in self.runs.items() for due in run.open("leased")]

    def fan_outs(self) -> list[tuple[str, Due]]:
        """The wide fan-outs that were staged and are not laid out to their end, also of runs that end."""
        return [(run_id, due) for run_id, run in self.runs.items() for due in run.open("unfolding")]

    def waiting(self) -> dict[str, list[str]]:
        """For each queue the jobs that may be handed out, in their order."""
        found: dict[str, list[tuple[tuple[int, int], str]]] = {name: [] for name in self.limits}
        for run_id, run in self.runs.items():
            for due in run.open("waiting") if run.status == "running" else ():
                found[run.plan.steps[due.step].queue].append((due.place, f"{run_id}/{due.step_id}"))
        return {name: [job_id for _, job_id in sorted(jobs)] for name, jobs in found.items()}

    def actives(self) -> Counter[str]:
        """Leases of each queue."""
        return Counter(run.plan.steps[due.step].queue for _, run, due in self.leased())

    def until_ms(self) -> int:
        """When a lease that begins now is over."""
        return self.clock.now_ms + LEASE_MS

    def receive(self, worker: Driver, job: LeasedJob, *, is_lost: bool) -> None:
        """A job was handed out."""
        self.runs[job.run_id].lease(job.step_id, job.token, until_ms=self.until_ms())
        self.counts["jobs"] += 1
        self.hold(worker, job, is_lost=is_lost)

    def hold(self, worker: Driver, job: LeasedJob, *, is_lost: bool) -> None:
        """A worker has a job in hand, as the model says it is, unless the answer was lost for good."""
        run, due = self.runs[job.run_id], self.due(job)
        assert job.token.rpartition(".")[0] == worker.name
        assert (job.id, job.token) not in self.given, "no job has one token twice"
        self.given[job.id, job.token] = None
        assert (job.token, job.attempt, job.losses) == (due.token, due.attempt, due.losses)
        assert (job.path, job.event, job.queue) == (due.path, due.event, run.plan.steps[due.step].queue)
        assert (job.flow, job.version) == (run.plan.flow, run.plan.version)
        assert self.input_of(run, job) == due.input
        if not is_lost:
            self.hands.append(Held(worker, job))

    def input_of(self, run: ModelRun, job: LeasedJob) -> Any:
        """What the handler of a job is given, read as a worker does."""
        message = decode_json(job.message)
        match run.plan.steps[job.step].trigger:
            case "all":
                raw = self.gather.join(job.run_id, message, limit_bytes=GATHER_BYTES)
            case "collect":
                raw = self.gather.collect(job.run_id, job.event, message, limit_bytes=GATHER_BYTES)
            case "any":
                return message
        return decode_json(raw)

    def came_along(self, worker: Driver, answer: Answer, token: str, *, is_lost: bool) -> None:
        """A commit may have brought a job along, before which nothing waits in its queue."""
        if not answer.rest:
            return
        job = leased_job(answer.rest[0], token)
        due = self.due(job)
        assert self.limits[job.queue] is None, "a limited queue has to be asked first"
        assert job.queue in (*worker.served.threads, *worker.served.loop)
        others = [self.due_of(job_id) for job_id in self.waiting()[job.queue]]
        assert all(due.place[1] <= other.place[1] for other in others), f"{job.id} has overtaken others"
        # Should it come back, its place is before all that came since.
        due.place = (due.place[0], 0)
        self.counts["jobs taken along"] += 1
        self.receive(worker, job, is_lost=is_lost)
