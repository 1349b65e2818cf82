"""Plans from tiny dicts, and a worker without a process that makes the scripts' calls one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.compile.plan import Plan
from engine.compile.planner import plan_of
from engine.control.deploy import deploy
from engine.control.start import start
from engine.declare.declaration import FlowDeclaration
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.events.codec import encode_json
from engine.events.fold import RunState, fold
from engine.events.record import BufferedEvent, Change, Emitted, Routing
from engine.events.types import Event
from engine.execution.route import emissions, route
from engine.store import ledger, queue
from engine.store.connection import Call, Store
from engine.store.ledger import Started
from engine.store.log import EventLog
from engine.store.queue import LeasedJob, Room, Served, leased_job

#: Long enough that no lease runs out by itself.
LEASE_MS = 60_000

#: When all that a test records has happened.
TS_MS = 1_700_000_000_000

#: Three steps in a row.
CHAIN: Mapping[str, Any] = {
    "a": {"emits": ["one"]},
    "b": {"subscribes": "one", "emits": ["two"]},
    "c": {"subscribes": "two"},
}


def declared(steps: Mapping[str, Any], *, flow: str = "f", **rest: Any) -> FlowDeclaration:
    """A flow as it is read from a file; a step that subscribes to nothing is the entry."""
    filled = {
        name: {"handler": f"handlers:{name}", **({} if "subscribes" in step else {"role": "entry"}), **step}
        for name, step in steps.items()
    }
    document = read_yaml("f.yaml", json.dumps({"flow": flow, "steps": filled, **rest})).document
    assert document is not None
    return parse(document)


def plan_from(steps: Mapping[str, Any], *, flow: str = "f", **rest: Any) -> Plan:
    """The real planner's plan of a flow."""
    return plan_of(declared(steps, flow=flow, **rest))


def deployed(store: Store, steps: Mapping[str, Any], *, flow: str = "f", **rest: Any) -> Plan:
    """The plan of a flow, put in force in a store."""
    plan = plan_from(steps, flow=flow, **rest)
    deploy(store, plan, source="", mode="serve")
    return plan


class Answer(NamedTuple):
    """What a script answered: its word, and what follows it."""

    word: str
    rest: Sequence[Any]


class Swept(NamedTuple):
    """What `sweep` answered: its word, how many leases were lost, the exhausted jobs."""

    word: str
    lost: int
    exhausted: Sequence[LeasedJob]


class Driver:
    """A worker whose every call is made by the test.

    Attributes:
        store: Where it works.
        plan: The flow that it serves.
        name: Its id.
        served: The queues that it serves, all of the flow's with threads if nothing else is said.
        seq: The number of its last fetch or token.
    """

    def __init__(self, store: Store, plan: Plan, *, name: str = "w", served: Served | None = None) -> None:
        self.store = store
        self.plan = plan
        self.name = name
        self.served = served or Served(tuple(sorted(plan.queues)), ())
        self.seq = 0
        self.register()

    def register(self) -> None:
        """Say that it lives and what it serves."""
        fields: Mapping[str, str | int] = {"host": "here", "pid": 1, "release": "1", "threads": 1}
        name, args = queue.heartbeat(self.name, ttl_ms=LEASE_MS, served=self.served, fields=fields)
        self.store.call(name, *args)

    def send(self, call: Call) -> Answer:
        """Make a call of a script, once."""
        raw = self.store.call(call[0], *call[1])
        return Answer(raw[0].decode(), raw[1:])

    def token(self) -> str:
        """A token that no call has had yet."""
        self.seq += 1
        return f"{self.name}.{self.seq}"

    def start(self, value: Any = None, *, run_id: str | None = None, key: str | None = None) -> Started:
        """Start a run."""
        return start(self.store, self.plan, input=value, limit_bytes=1 << 20, run_id=run_id, key=key)

    def fetch_answer(self, *, room: int | Room = 1, seq: int | None = None) -> Answer:
        """Ask for jobs, with the next number or a chosen one; a number is the room of either kind."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        rooms = room if isinstance(room, Room) else Room(threads=room, loop=room, free=room)
        return self.send(queue.fetch(self.name, seq=seq, room=rooms, lease_ms=LEASE_MS, ttl_ms=LEASE_MS))

    def fetch(self, *, room: int | Room = 1, seq: int | None = None) -> list[LeasedJob]:
        """Lease jobs."""
        answer = self.fetch_answer(room=room, seq=seq)
        assert answer.word == "OK", answer
        token = f"{self.name}.{self.seq if seq is None else seq}"
        return [leased_job(fields, token) for fields in answer.rest[1:]]

    def fetch_one(self) -> LeasedJob:
        """Lease the one job that waits first."""
        (job,) = self.fetch(room=1)
        return job

    def commit_call(
        self,
        job: LeasedJob,
        *,
        emits: Sequence[tuple[str, Any]] = (),
        changes: Sequence[Change] = (),
        events: Sequence[BufferedEvent] = (),
        first: int = 0,
        result: Any = None,
        kind: str = "completed",
        take: str = "",
        ts: int = TS_MS,
        staged: int = 0,
    ) -> Call:
        """The call that settles an attempt as its handler's return would."""
        is_done = kind == "completed"
        emitted = emitted_at(ts, emits)
        data = {"duration": 1, "result": result, **({"emits": staged} if staged else {})}
        return ledger.commit(
            job,
            first=first,
            kind=kind,
            ts=ts,
            data=encode_json(data if is_done else {"reason": "not today"}),
            result=encode_json(result) if is_done and job.step in self.plan.sinks else b"",
            sinks=",".join(self.plan.sinks),
            take=take,
            lease_ms=LEASE_MS,
            events=events,
            changes=changes,
            emits=emissions(job.path, emitted),
            staged=staged,
            routing=self.routing(job.step, [event for event, _ in emits]),
        )

    def routing(self, step: str, events: Iterable[str]) -> Routing:
        """What may follow from events of a step."""
        served = {*self.served.threads, *self.served.loop}
        return route(self.plan, step, dict.fromkeys(events), served=served)

    def stage_call(
        self, job: LeasedJob, emits: Sequence[tuple[str, Any]], *, first: int = 0, ts: int = TS_MS
    ) -> Call:
        """The call that stages emissions."""
        return ledger.stage(job, first=first, emits=emitted_at(ts, emits))

    def stage_all(self, job: LeasedJob, emits: Sequence[tuple[str, Any]]) -> None:
        """Stage emissions in as many calls as a worker would."""
        for at in range(0, len(emits), ledger.EMITS_A_STAGE):
            part = emits[at : at + ledger.EMITS_A_STAGE]
            answer = self.send(self.stage_call(job, part, first=at))
            assert answer == ("OK", [at + len(part)])

    def unfold_call(self, run_id: str, step_id: str, cursor: int) -> Call:
        """The call that lays out a part of what was staged."""
        step = step_id.rpartition("#")[0]
        return ledger.unfold(
            run_id,
            step_id,
            flow=self.plan.flow,
            cursor=cursor,
            sinks=",".join(self.plan.sinks),
            routing=self.routing(step, self.plan.steps[step].emits),
        )

    def unfold_all(self, run_id: str, step_id: str) -> int:
        """Lay out a whole fan-out; answers in how many parts."""
        cursor = parts = 0
        while True:
            answer = self.send(self.unfold_call(run_id, step_id, cursor))
            parts += 1
            if answer.word != "MORE":
                assert answer.word == "DONE", answer
                return parts
            cursor = answer.rest[0]

    def commit(self, job: LeasedJob, **what: Any) -> Answer:
        """Settle an attempt; takes what `commit_call` takes."""
        return self.send(self.commit_call(job, **what))

    def taken(self, answer: Answer, token: str) -> LeasedJob:
        """The job that a commit has brought along."""
        assert answer.rest, f"{answer} brings no job"
        return leased_job(answer.rest[0], token)

    def fail_call(
        self, job: LeasedJob, *, message: str = "no", events: Sequence[BufferedEvent] = (), first: int = 0
    ) -> Call:
        """The call that settles an attempt as its handler's exception would."""
        error = {"type": "ValueError", "message": message}
        data = encode_json({"error": {**error, "traceback": "..."}, "cause": "error"})
        return ledger.fail(job, first=first, ts=TS_MS, data=data, error=encode_json(error), events=events)

    def fail(self, job: LeasedJob, **what: Any) -> Answer:
        """Settle an attempt as failed; takes what `fail_call` takes."""
        return self.send(self.fail_call(job, **what))

    def report(self, job: LeasedJob, events: Sequence[BufferedEvent], *, first: int = 0) -> Answer:
        """Record events of a running attempt."""
        return self.send(ledger.report(job, first=first, events=events))

    def release(self, job: LeasedJob, *, delay_ms: int = 0, unroutable: bytes = b"") -> Answer:
        """Give a job back."""
        return self.send(queue.release(job, delay_ms=delay_ms, unroutable=unroutable))

    def renew(self, *jobs: LeasedJob) -> list[str]:
        """Renew leases; a word for each."""
        name, args = queue.renew(jobs, lease_ms=LEASE_MS)
        return [word.decode() for word in self.store.call(name, *args)[1:]]

    def sweep(self, *, max_losses: int = 3, limit: int = 100, token: str | None = None) -> Swept:
        """Take expired leases back."""
        token = token or self.token()
        answer = self.send(queue.sweep(lease_ms=LEASE_MS, limit=limit, max_losses=max_losses, token=token))
        lost, *exhausted = answer.rest or (0,)
        return Swept(answer.word, lost, [leased_job(fields, token) for fields in exhausted])

    def promote(self) -> int:
        """Move what is due; the ms until something is due next."""
        name, args = queue.promote(limit=queue.PROMOTE_LIMIT)
        answer: int = self.store.call(name, *args)[0]
        return answer

    def expire(self, *jobs: LeasedJob) -> None:
        """Let leases be over, and the last sweep be a while ago, as if time had passed."""
        with self.store.talking() as client:
            for job in jobs:
                client.zadd(f"{self.store.keys.prefix}:queue:{job.queue}:active", {job.id: 1}, xx=True)
            was = server_ms(self.store) - LEASE_MS // 4
            client.hset(f"{self.store.keys.prefix}:sweep", mapping={"last": was, "grace": 0})

    def lose(self, *jobs: LeasedJob, max_losses: int = 3) -> Swept:
        """Let leases be over and sweep."""
        self.expire(*jobs)
        return self.sweep(max_losses=max_losses)

    def log(self, run_id: str) -> list[Event]:
        """All events of a run."""
        return list(EventLog(self.store).read_all(run_id))

    def types(self, run_id: str) -> list[str]:
        """The types of all events of a run."""
        return [event.type for event in self.log(run_id)]

    def state(self, run_id: str) -> RunState:
        """What the log of a run folds to."""
        run = fold(self.log(run_id))
        assert run is not None
        return run


def emitted_at(ts: int, emits: Sequence[tuple[str, Any]]) -> list[Emitted]:
    """Events as a handler emits them."""
    return [Emitted(ts, event, encode_json(payload)) for event, payload in emits]


def server_ms(store: Store) -> int:
    """The server's clock."""
    with store.talking() as client:
        seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def logged(*messages: str) -> list[BufferedEvent]:
    """Buffered `log` events."""
    return [
        BufferedEvent("log", TS_MS, encode_json({"level": "info", "message": message}))
        for message in messages
    ]


def started(name: str = "w") -> BufferedEvent:
    """A buffered `step.started`."""
    return BufferedEvent("step.started", TS_MS, encode_json({"worker": name}))


def set_to(key: str, value: Any) -> Change:
    """A change of the handler state, as `ctx.state.set` makes it."""
    data = {"op": "set", "key": key, "value": value, "scope": "run"}
    return Change("set", key, encode_json(value), TS_MS, encode_json(data))


def add(key: str, by: float) -> Change:
    """As `ctx.state.incr`."""
    data = {"op": "incr", "key": key, "by": by, "scope": "run"}
    return Change("incr", key, encode_json(by), TS_MS, encode_json(data))


def drop(key: str) -> Change:
    """As `ctx.state.delete`."""
    return Change("delete", key, b"", TS_MS, encode_json({"op": "delete", "key": key, "scope": "run"}))


def hash_at(store: Store, key: str) -> dict[str, str]:
    """A hash under the prefix, as text."""
    with store.talking() as client:
        found = client.hgetall(f"{store.keys.prefix}:{key}")
    return {name.decode(): value.decode() for name, value in found.items()}


def members(store: Store, key: str) -> list[str]:
    """The members of a set or sorted set under the prefix, in order."""
    name = f"{store.keys.prefix}:{key}"
    with store.talking() as client:
        is_sorted = client.type(name) == b"zset"
        found = client.zrange(name, 0, -1) if is_sorted else sorted(client.smembers(name))
    return [member.decode() for member in found]


def forget_run(store: Store, run_id: str, *, flow: str = "f") -> None:
    """Remove a run's log, ledger and indexes, as retention would, and leave its jobs."""
    keys = store.keys
    with store.talking() as client:
        client.delete(keys.run(run_id), keys.log(run_id), keys.state(run_id))
        client.zrem(keys.flow_index(flow), run_id)
        for status in ("running", "failing", "completed", "failed", "ended"):
            client.zrem(keys.status_index(status), run_id)
