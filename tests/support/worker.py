"""Workers inside the test's own process: flows made of functions, their runs, what the logs say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.control import start as control
from engine.control.deploy import deploy
from engine.errors import HandlerError
from engine.events.fold import RunState, fold
from engine.events.types import SETTLING, Event
from engine.registry.pins import Pins
from engine.registry.plans import LinkedPlan, Registry
from engine.store.connection import Store
from engine.store.index import RunIndex
from engine.store.log import EventLog
from engine.store.plans import Plans
from engine.worker.limits import Limits
from engine.worker.process import WorkerProcess
from engine.worker.vital import Death
from tests.support.store import plan_from
from tests.support.wait import wait_until

Handler = Callable[[Any, Any], Any]

#: Bytes of a payload or a result, at most.
PAYLOAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Step:
    """A step as a test writes it.

    Attributes:
        handler: Its function.
        on: Events each of which triggers it.
        all: Events that trigger it together.
        collect: The event that it collects.
        emits: Events that it may emit.
        queue: Its queue, where it is not its own.
        options: Further keys of its declaration.
    """

    handler: Handler
    on: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    collect: str = ""
    emits: tuple[str, ...] = ()
    queue: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subscribes(self) -> dict[str, Any]:
        """What it subscribes to, as it is declared."""
        told = {"any": list(self.on), "all": list(self.all), "collect": self.collect}
        return {trigger: events for trigger, events in told.items() if events}


def flow(name: str, steps: Mapping[str, Step]) -> LinkedPlan:
    """A flow whose entry is the first step; each queue is `<flow>.<step>` where the step names none."""
    declared: dict[str, dict[str, Any]] = {}
    for step, told in steps.items():
        declared[step] = {"handler": f"handlers.{name}:{step}", "emits": list(told.emits)}
        declared[step] |= {"subscribes": told.subscribes} if told.subscribes else {}
        declared[step] |= {"queue": told.queue} if told.queue else {}
        declared[step] |= told.options
    return LinkedPlan(plan_from(declared, flow=name), {step: steps[step].handler for step in steps})


def chain(name: str = "chain") -> LinkedPlan:
    """Three steps, each of which hands a number on; the result is how many have."""

    def first(job, ctx):
        ctx.flow.emit("one", {"n": job.data["n"], "steps": 1})

    def second(job, ctx):
        ctx.flow.emit("two", {**job.data, "steps": 2})

    def third(job, ctx):
        return {**job.data, "steps": 3}

    return flow(
        name,
        {
            "first": Step(first, emits=("one",)),
            "second": Step(second, on=("one",), emits=("two",)),
            "third": Step(third, on=("two",)),
        },
    )


def alone(handler: Handler, name: str = "alone", *, emits: Iterable[str] = ()) -> LinkedPlan:
    """A flow of one step, `only`."""
    return flow(name, {"only": Step(handler, emits=tuple(emits))})


class Workshop:
    """Runs and workers on one store; ends its workers when it is closed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.log = EventLog(store)
        self.deaths: list[Death] = []
        self._workers: list[WorkerProcess] = []
        self._code: dict[WorkerProcess, dict[str, Handler]] = {}

    def build(
        self,
        *flows: LinkedPlan,
        store: Store | None = None,
        threads: int = 4,
        async_steps: int = 100,
        lease_ms: int = 15_000,
        fan_out: int = 20_000,
        gather_bytes: int = 1 << 26,
        max_deliveries: int = 5,
        serves_every_flow: bool = False,
    ) -> WorkerProcess:
        """A worker that is not started; `store` is its own way to the server."""
        code = _code_of(flows)

        def link(path: str) -> Handler:
            if path not in code:
                raise HandlerError(f"handler `{path}` is not here")
            return code[path]

        own = store or self.store
        registry = Registry()
        for linked in flows:
            deploy(self.store, linked.plan, source="", mode="serve")
        registry.swap([linked.plan for linked in flows], code)
        worker = WorkerProcess(
            own,
            registry=registry,
            pins=Pins(registry, Plans(own), link),
            limits=Limits(
                threads=threads,
                async_steps=async_steps,
                lease_ms=lease_ms,
                max_deliveries=max_deliveries,
                payload_bytes=PAYLOAD_BYTES,
                fan_out=fan_out,
                gather_bytes=gather_bytes,
                release="test",
            ),
            died=self.deaths.append,
            serves_every_flow=serves_every_flow,
        )
        self._workers.append(worker)
        self._code[worker] = code
        return worker

    def work(self, *flows: LinkedPlan, **told: Any) -> WorkerProcess:
        """A worker that works."""
        worker = self.build(*flows, **told)
        worker.start()
        return worker

    def swap(self, worker: WorkerProcess, *flows: LinkedPlan) -> None:
        """Put these flows, and no others, in force in a worker; other functions stay loaded."""
        code = self._code[worker]
        code |= _code_of(flows)
        worker.swap([linked.plan for linked in flows], code)

    def start(self, linked: LinkedPlan, data: Any = None, **options: Any) -> str:
        """Start a run; the flow is put into the store first."""
        deploy(self.store, linked.plan, source="", mode="store")
        limit = options.pop("limit_bytes", PAYLOAD_BYTES)
        return control.start(self.store, linked.plan, input=data, limit_bytes=limit, **options).run_id

    def start_many(self, linked: LinkedPlan, count: int, **data: Any) -> list[str]:
        """Start runs whose input is `{"n": number}` and `data`."""
        deploy(self.store, linked.plan, source="", mode="store")
        return [
            control.start(self.store, linked.plan, input={"n": n, **data}, limit_bytes=PAYLOAD_BYTES).run_id
            for n in range(count)
        ]

    def events(self, run_id: str, *types: str) -> list[Event]:
        """The events of a run, or those of some types."""
        return [event for event in self.log.read_all(run_id) if not types or event.type in types]

    def state(self, run_id: str) -> RunState:
        """What the log of a run folds to."""
        run = fold(self.log.read_all(run_id))
        assert run is not None
        return run

    def ended(self, run_id: str, *, timeout_s: float = 15) -> RunState:
        """Wait for the end of a run, and fold its log."""
        index = RunIndex(self.store)
        wait_until(
            lambda: index.get(run_id).ended_at_ms is not None,
            timeout_s=timeout_s,
            saw=lambda: [(event.type, event.step_id, event.attempt) for event in self.events(run_id)],
        )
        return self.state(run_id)

    def run(self, linked: LinkedPlan, data: Any = None, *, timeout_s: float = 15) -> RunState:
        """Start a run and wait for its end."""
        return self.ended(self.start(linked, data), timeout_s=timeout_s)

    def all_ended(self, run_ids: Iterable[str], *, timeout_s: float = 30) -> list[RunState]:
        """Wait for the end of runs, and fold their logs."""
        ids = list(run_ids)
        with self.store.talking() as client:
            ended = f"{self.store.keys.prefix}:runs:ended"
            wait_until(
                lambda: all(score is not None for score in client.zmscore(ended, ids)),
                timeout_s=timeout_s,
                saw=lambda: self._unfinished(ids),
            )
        return [self.state(run_id) for run_id in ids]

    def _unfinished(self, ids: Iterable[str]) -> str:
        with self.store.talking() as client:
            ended = f"{self.store.keys.prefix}:runs:ended"
            open_ids = [run_id for run_id in ids if client.zscore(ended, run_id) is None]
        last = [(event.type, event.step_id, event.attempt) for event in self.events(open_ids[0])[-4:]]
        return f"{len(open_ids)} unfinished, such as {open_ids[0]}: {last}; dead: {self.deaths}"

    def counts(self) -> Counter[str]:
        """Calls of each command on the server so far, those inside scripts included."""
        with self.store.talking() as client:
            stats = client.info("commandstats")
        return Counter({name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()})

    def leased(self) -> list[str]:
        """Ids of the jobs that somebody has a lease of."""
        found: list[str] = []
        with self.store.talking() as client:
            for queue in client.smembers(self.store.keys.queues):
                name = f"{self.store.keys.prefix}:queue:{queue.decode()}:active"
                found += [job.decode() for job in client.zrange(name, 0, -1)]
        return sorted(found)

    def unfinished(self) -> int:
        """Number of runs that go on."""
        with self.store.talking() as client:
            return int(client.zcard(self.store.keys.status_index("running")))

    def has_at_most(self, count: int) -> bool:
        """Whether no more than so many runs go on."""
        return self.unfinished() <= max(0, count)

    def pass_time(self, ms: int) -> None:
        """Wait until the server's clock is so much later: for what must last a while."""
        with self.store.talking() as client:
            until_ms = _server_ms(client) + ms
            wait_until(lambda: _server_ms(client) >= until_ms, timeout_s=ms / 1000 + 10)

    def close(self) -> None:
        """End every worker that still works."""
        for worker in self._workers:
            worker.stop(2000)


def _code_of(flows: Iterable[LinkedPlan]) -> dict[str, Handler]:
    """The functions of flows by import path."""
    return {
        linked.plan.steps[name].handler: handler
        for linked in flows
        for name, handler in linked.handlers.items()
    }


def _server_ms(client: Any) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def assert_recorded_once(events: Iterable[Event], *steps: str) -> None:
    """Each of these activations, and no other, was settled exactly once."""
    settled = Counter(event.step_id for event in events if event.type in SETTLING)
    assert settled == dict.fromkeys(steps, 1)
