"""What happens to a run: its start, and the settlement of its attempts.

The ledger, the hash `nq:run:<run>`, has two parts.
Folded (equal to the fold of the log): `flow`, `version`, `status`, `started`, `ended`, `error`,
`step`, `open`, `n:<step>`, `r:<sink>`.
Volatile (of this moment only, and not in the log): `leased`, `c:<token>` (the job that a commit took along).
`open` is meaningful while the run is `running`.

Each function makes the call of one script; what it guarantees stands in the script's header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import StoreError, VersionNotFound
from engine.events.record import BufferedEvent, Change, Emission

from .connection import Call, Store
from .queue import LeasedJob


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
) -> Started:
    """Start a run, once per run id and per key.

    Raises:
        VersionNotFound: The store has no such plan.
        StoreFull: Redis is out of memory; nothing was written.
        StoreError: The store cannot be reached or refused the call.
    """
    answer = store.call("start", run, flow, version, entry, queue, key, key_ttl_ms, data, offset)
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
) -> Call:
    """Settle an attempt as completed or skipped, with all that follows from it."""
    args: list[Any] = [*job.head, first, kind, ts, data, result, sinks, take, lease_ms]
    args += (len(events), len(changes), len(emits))
    for event in events:
        args += event
    for change in changes:
        args += change
    for emission in emits:
        args += emission[:5]
        args.append(len(emission.targets))
        for step, queue, index, takeable in emission.targets:
            args += (step, queue, index, 1 if takeable else 0)
    return ("commit", args)


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
