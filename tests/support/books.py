"""What must be true of a store at every moment: its books agree with its logs, and no key is forgotten."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from engine.compile.plan import Plan
from engine.events.codec import decode_entries, decode_json
from engine.events.fold import RunState
from engine.events.state import STATUSES
from engine.events.types import STEP_COMPLETED, TERMINAL, Event
from engine.store.connection import Store
from engine.store.log import EventLog
from engine.store.plans import Plans
from engine.store.script import REFERENCE_BYTES

from .counts import Counts, count

#: Keys, after the prefix, that may live for ever.
_PERMANENT = re.compile(
    r"(events|registry|workers|queues|ready|timers|sweep|unfolding|format"
    r"|plan:.+|versions:.+|flows:.+|runs:.+|queue:.+:(conf|wake|wait|active|delayed))"
)

#: States of a job, each the name of the set of its queue in which its id must be.
_PLACES = ("wait", "active", "delayed")


class _Job(NamedTuple):
    state: str
    queue: str
    token: str


def audit(store: Store) -> None:
    """Check every run, every queue and every key under the prefix of a store."""
    names = keys_of(store)
    places = _places(store, names)
    jobs = _jobs(store, names)
    for job_id, found in places.items():
        for queue, place in found:
            assert place != "active" or job_id in jobs, f"{job_id} keeps a slot of `{queue}` and has no job"
    _check_ready(store, places)
    for job_id, job in jobs.items():
        assert places.get(job_id) == [(job.queue, job.state)], f"{job_id}: {job}, {places.get(job_id)}"
        assert (job.state == "active") == bool(job.token), f"{job_id}: {job}"
    for run_id in _ids(store, names, "run"):
        check_run(store, run_id, jobs)
    _check_feed(store)
    _check_keys(store, names)


def _check_ready(store: Store, places: dict[str, list[tuple[str, str]]]) -> None:
    """A queue is ready when something waits in it and its limit lets another job go."""
    held = Counter(place for found in places.values() for place in found)
    queues = sorted({queue for queue, _ in held})
    with store.talking() as client:
        ready = {queue.decode() for queue in client.smembers(f"{store.keys.prefix}:ready")}
        pipeline = client.pipeline(transaction=False)
        for queue in queues:
            pipeline.hget(f"{store.keys.prefix}:queue:{queue}:conf", "cap")
        caps = dict(zip(queues, pipeline.execute(), strict=True))
    for queue, cap in caps.items():
        has_place = cap is None or held[queue, "active"] < int(cap)
        is_eligible = held[queue, "wait"] > 0 and has_place
        assert not is_eligible or queue in ready, f"something waits in `{queue}`, which is not ready"


def keys_of(store: Store) -> list[str]:
    """Every key under the prefix."""
    with store.talking() as client:
        found = client.scan_iter(match=f"{store.keys.prefix}:*", count=1000)
        return sorted({key.decode() for key in found})


def check_run(store: Store, run_id: str, jobs: dict[str, _Job]) -> None:
    """Check one run: ledger, handler state and jobs are what its log folds to."""
    events = list(EventLog(store).read_all(run_id))
    assert events, f"run {run_id} has a ledger and no log"
    version = events[0].data["version"]
    plan = Plan.from_dict(Plans(store).read(events[0].flow_name, version), version)
    run, counts = count(plan, events)
    statuses = (*STATUSES, "ended")
    with store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        pipeline.hgetall(store.keys.run(run_id))
        pipeline.hgetall(store.keys.state(run_id))
        pipeline.zscore(store.keys.flow_index(run.flow), run_id)
        for status in statuses:
            pipeline.zscore(store.keys.status_index(status), run_id)
        raw_ledger, raw_values, started, *scores = pipeline.execute()
    ledger = {key.decode(): value.decode() for key, value in raw_ledger.items()}
    kept = {key.decode(): decode_json(raw) for key, raw in raw_values.items()}
    indexed = {status for status, score in zip(statuses, scores, strict=True) if score is not None}
    assert started == run.started_at_ms
    assert _folded_part(ledger, run) == _expected_ledger(run)
    if run.status == "running":
        _check_counts(plan, ledger, counts)
    assert kept == run.handler_state
    assert indexed == {run.status} | ({"ended"} if run.is_over else set())
    _check_jobs(run, ledger, {key: job for key, job in jobs.items() if key.startswith(f"{run_id}/")})
    _check_results(plan, run, events, ledger)
    if run.is_over:
        assert events[-1].type in TERMINAL


def _folded_part(ledger: dict[str, str], run: RunState) -> dict[str, Any]:
    found: dict[str, Any] = {name: ledger.get(name) for name in ("flow", "version", "status", "step")}
    found |= {name: int(ledger[name]) if name in ledger else None for name in ("started", "ended")}
    found["error"] = decode_json(ledger["error"].encode()) if "error" in ledger else None
    found["created"] = {name[2:]: int(value) for name, value in ledger.items() if name.startswith("n:")}
    return found


def _expected_ledger(run: RunState) -> dict[str, Any]:
    error = run.error and {"type": run.error["type"], "message": run.error["message"]}
    return {
        "flow": run.flow,
        "version": run.version,
        "status": run.status,
        "step": run.failed_step,
        "started": run.started_at_ms,
        "ended": run.ended_at_ms,
        "error": error,
        "created": run.created,
    }


def _check_jobs(run: RunState, ledger: dict[str, str], jobs: dict[str, _Job]) -> None:
    leased = {key: job.token for key, job in jobs.items() if job.state == "active"}
    if run.is_over and run.error and run.error["type"] == "StoreError":
        # It ended because keys of it were deleted, whatever ran; that is forgotten as its workers call.
        return
    assert int(ledger["leased"]) == len(leased)
    taken = {name[2:]: value for name, value in ledger.items() if name.startswith("c:")}
    assert taken == {token: leased[key] and key for token, key in taken.items()}
    assert all(leased[key] == token for token, key in taken.items())
    due = {f"{run.run_id}/{it.step_id}" for it in run.activations.values() if it.is_open}
    if run.status == "running":
        assert set(jobs) == due, "every open activation has one job, and nothing else has one"
    elif run.is_over:
        assert not leased
    else:
        assert set(jobs) <= due


def _check_counts(plan: Plan, ledger: dict[str, str], counts: Counts) -> None:
    """What the ledger counts is what the log and the plan say."""
    assert int(ledger["open"]) == counts.open
    assert {name: int(ledger[f"left:{name}"]) for name in plan.collects} == counts.left
    assert {name for name in plan.collects if f"armed:{name}" in ledger} == counts.armed
    for join, heard in counts.heard.items():
        head = f"j:{join}:"
        assert {name.removeprefix(head): at for name, at in ledger.items() if name.startswith(head)} == heard
        assert int(ledger.get(f"j:{join}", 0)) == len(heard)
    assert int(ledger.get("half", 0)) == counts.half
    fan_outs = {name[2:]: value.split() for name, value in ledger.items() if name.startswith("u:")}
    assert {name: (int(at), int(total)) for name, (at, total, *_) in fan_outs.items()} == counts.unfolding


def _check_results(plan: Plan, run: RunState, events: list[Event], ledger: dict[str, str]) -> None:
    """The results that the ledger keeps for the end, and the result that the end made of them."""
    last = {it.step_name: it.data.get("result") for it in events if it.type == STEP_COMPLETED}
    results = {name: last[name] for name in plan.sinks if name in last}
    kept = {name[2:]: decode_json(value.encode()) for name, value in ledger.items() if name.startswith("r:")}
    if run.status == "running":
        assert kept == results
    elif run.status == "completed":
        assert kept == {}
        assert run.result == (results.get(plan.sinks[0]) if len(plan.sinks) == 1 else results)


def _check_feed(store: Store) -> None:
    """What the firehose holds of a run is in its log, under the same id."""
    with store.talking() as client:
        feed = decode_entries(client.xrange(store.keys.events))
    by_run: dict[str, list[Event]] = defaultdict(list)
    for event in feed:
        by_run[event.run_id].append(event)
    for run_id, events in by_run.items():
        log = {event.id: event for event in EventLog(store).read_all(run_id)}
        for event in events if log else ():
            logged = log.get(event.id)
            assert logged is not None, f"{event.id} ({event.type}) of {run_id} is not in its log"
            if "ref" in event.data and "ref" not in logged.data:
                assert event.data["ref"] > REFERENCE_BYTES
            else:
                assert event == logged


def _check_keys(store: Store, names: list[str]) -> None:
    """Every key ends by itself, belongs to a run that is indexed, or is one of the permanent ones."""
    start = len(store.keys.prefix) + 1
    runs = _ids(store, names, "run")
    doubtful = []
    with store.talking() as client:
        unfolding = {job_id.decode() for job_id in client.smembers(f"{store.keys.prefix}:unfolding")}
    for name in names:
        kind, _, rest = name[start:].partition(":")
        of_a_run = kind in ("flow", "run", "state") and rest in runs
        of_a_run = of_a_run or (kind == "stage" and rest in unfolding)
        if kind != "job" and not of_a_run and not _PERMANENT.fullmatch(name[start:]):
            doubtful.append(name)
    with store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        for name in doubtful:
            pipeline.pttl(name)
        for name, ttl_ms in zip(doubtful, pipeline.execute(), strict=True):
            assert ttl_ms != -1, f"{name} would stay for ever"


def _ids(store: Store, names: list[str], kind: str) -> set[str]:
    head = f"{store.keys.prefix}:{kind}:"
    return {name.removeprefix(head) for name in names if name.startswith(head)}


def _places(store: Store, names: list[str]) -> dict[str, list[tuple[str, str]]]:
    parted = [name.rpartition(":") for name in sorted(_ids(store, names, "queue"))]
    sets = [(queue, place) for queue, _, place in parted if place in _PLACES]
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        for queue, place in sets:
            pipeline.zrange(f"{store.keys.prefix}:queue:{queue}:{place}", 0, -1)
        for (queue, place), job_ids in zip(sets, pipeline.execute(), strict=True):
            for job_id in job_ids:
                found[job_id.decode()].append((queue, place))
    return found


def _jobs(store: Store, names: list[str]) -> dict[str, _Job]:
    job_ids = sorted(_ids(store, names, "job"))
    with store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hmget(f"{store.keys.prefix}:job:{job_id}", "state", "queue", "token")
        return {
            job_id: _Job(*((field or b"").decode() for field in fields))
            for job_id, fields in zip(job_ids, pipeline.execute(), strict=True)
        }


def contents(store: Store) -> dict[str, Any]:
    """Every key under the prefix with what is in it, to see whether a call has changed anything."""
    names = keys_of(store)
    with store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.type(name)
        kinds = pipeline.execute()
        for name, kind in zip(names, kinds, strict=True):
            # The server may move the members of these at any time, and a dump has them in their order.
            if kind == b"hash":
                pipeline.hgetall(name)
            elif kind == b"set":
                pipeline.smembers(name)
            else:
                pipeline.dump(name)
        return dict(zip(names, pipeline.execute(), strict=True))
