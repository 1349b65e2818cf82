"""What happens to a run: its start, and the settlement of its attempts.

The ledger, the hash `nq:run:<run>`, has two parts.
Folded (equal to the fold of the log): `flow`, `version`, `status`, `started`, `ended`, `error`,
`step`, `r:<sink>`, `n:<step>` (activations made), `open` (open activations and undecided collects),
`left:<collect>` (those of them that it waits for), `armed:<collect>` (it will fire), `j:<join>` (events that
have come), `j:<join>:<event>` (where in the log), `half` (joins that have some and not all), `u:<stepId>` (a
wide fan-out on its way: emissions laid out, all of them, attempt, path).
Volatile (of this moment only, and not in the log): `leased`, `c:<token>` (the job that a commit took along).
What counts is meaningful while the run is `running`.

Each function makes the call of one script; what it guarantees stands in the script's header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.errors import StoreError, VersionNotFound
from engine.events.record import BufferedEvent, Change, Emission, Emitted, Routing

from .connection import Call, Store
from .queue import LeasedJob

#: Emissions that one settlement records, and that one part of a wide fan-out lays out, at most, where each
#: has one subscriber: it is written to two streams and makes a job, 20 to 40 microseconds in which the server
#: does nothing else.
EMITS_A_PART: Final = 50

#: Emissions that one call stages, at most.
EMITS_A_STAGE: Final = 200

#: Bytes of the payloads in one call, at most; of the last one, as many as it has.
EMITS_BYTES: Final = 1024 * 1024

#: Milliseconds for which staged emissions wait for their settlement.
_STAGE_TTL_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Started:
    """Answer of `start`: the run, and whether this call made it."""

    run_id: str
    is_new: bool


def start(
    store: Store,
    *,
    run: str,
    flow: str,
    version: str,
    entry: str,
    queue: str,
    key: str,
    key_ttl_ms: int,
    data: bytes,
    offset: int,
    priority: int,
    collects: Sequence[tuple[str, int, bool]],
) -> Started:
    """Start a run, once per run id and per key.

    `collects` are `(step, left, armed)`: what each waits for, and whether the entry arms it.

    Raises:
        VersionNotFound: The store has no such plan.
        StoreFull: Redis is out of memory; nothing was written.
        StoreError: The store cannot be reached or refused the call.
    """
    answer = store.call(
        "start",
        run,
        flow,
        version,
        entry,
        queue,
        key,
        key_ttl_ms,
        data,
        offset,
        priority,
        len(collects),
        *(part for step, left, armed in collects for part in (step, left, 1 if armed else 0)),
    )
    word = answer[0].decode()
    if word == "NOPLAN":
        raise VersionNotFound(f"version {version[:12]} of flow `{flow}` is not in the store: deploy it first")
    if word not in ("OK", "DUP"):
        raise StoreError(f"the script `start` answered {word}")
    return Started(answer[1].decode(), word == "OK")


def commit(
    job: LeasedJob,
    *,
    first: int,
    kind: str,
    ts: int,
    data: bytes,
    result: bytes,
    sinks: str,
    take: str,
    lease_ms: int,
    events: Sequence[BufferedEvent],
    changes: Sequence[Change],
    emits: Sequence[Emission],
    staged: int,
    routing: Routing,
) -> Call:
    """Settle an attempt as completed or skipped, with all that follows from it."""
    args: list[Any] = [*job.head, first, kind, ts, data, result, sinks, take, lease_ms]
    args += (len(events), len(changes), len(emits), staged)
    for event in events:
        args += event
    for change in changes:
        args += change
    args += _routing_args(routing)
    for emission in emits:
        args += emission
    return ("commit", args)


def stage(job: LeasedJob, *, first: int, emits: Sequence[Emitted]) -> Call:
    """Keep emissions, the first of which has this number, for a settlement that they are too many for."""
    args: list[Any] = [*job.head, first, _STAGE_TTL_MS, len(emits)]
    for emission in emits:
        args += emission
    return ("stage", args)


def unfold(run: str, step_id: str, *, flow: str, cursor: int, sinks: str, routing: Routing) -> Call:
    """Lay out a part of the emissions that an activation had staged, from the number `cursor` on."""
    step = step_id.rpartition("#")[0]
    args = (run, step_id, step, flow, cursor, emits_a_part(routing), EMITS_BYTES, sinks)
    return ("unfold", (*args, *_routing_args(routing)))


def emits_a_part(routing: Routing) -> int:
    """How many emissions one call records: as many fewer as each makes more jobs."""
    jobs = max(map(len, routing.targets.values()), default=0)
    return max(1, min(EMITS_A_PART, 2 * EMITS_A_PART // (1 + jobs)))


def _routing_args(routing: Routing) -> list[Any]:
    args: list[Any] = [routing.joins, len(routing.collects), len(routing.targets)]
    for collect in routing.collects:
        args += collect
    for event, targets in routing.targets.items():
        args += (event, len(targets))
        for target in targets:
            args += target
    return args


def fail(
    job: LeasedJob, *, first: int, ts: int, data: bytes, error: bytes, events: Sequence[BufferedEvent]
) -> Call:
    """Settle an attempt as failed; its run turns failing."""
    args: list[Any] = [*job.head, first, ts, data, error, len(events)]
    for event in events:
        args += event
    return ("fail", args)


def report(job: LeasedJob, *, first: int, events: Sequence[BufferedEvent]) -> Call:
    """Record buffered events of a running attempt."""
    args: list[Any] = [*job.head, first, len(events)]
    for event in events:
        args += event
    return ("report", args)
