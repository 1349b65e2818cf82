"""What must be true after every step: the books agree with the logs, and both with the model."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from engine.events.types import Event
from engine.store.plans import Plans
from engine.store.queue import LeasedJob
from tests.properties.world import MANY_DEAD, World
from tests.support.books import audit
from tests.support.model import Entry, ModelRun, closure
from tests.support.store import members


def check(world: World) -> None:
    """Compare everything."""
    audit(world.store)
    for run_id, run in world.runs.items():
        check_run(world, run_id, run)
    check_jobs(world)
    check_fan_outs(world)
    check_queues(world)
    check_versions(world)


def check_run(world: World, run_id: str, model: ModelRun) -> None:
    """The log of a run is the one that the model has written, event by event."""
    for event, entry in itertools.zip_longest(world.workers[0].log(run_id), model.log):
        assert event is not None, f"{run_id} has not recorded {entry}"
        assert entry is not None, f"{run_id} has recorded {event}"
        check_event(event, entry)
    state = world.workers[0].state(run_id)
    assert (state.status, state.handler_state) == (model.status, model.values)
    if model.is_at_rest:
        made = {(due.step, due.path) for due in model.due.values()}
        assert made == closure(model.plan, world.emitted[run_id])


def check_event(event: Event, entry: Entry) -> None:
    """An event is what the model says."""
    data = {"to": [], **event.data}
    if "error" in data:
        data["message"] = data["error"]["message"]
    wanted = {"to": [], **entry.data}
    found = (event.type, event.step_id, event.attempt, {name: data.get(name) for name in wanted})
    assert found == (entry.type, entry.step_id, entry.attempt, wanted), f"{event} is not {entry}"


def check_jobs(world: World) -> None:
    """Each open activation of a running run has its job, in the state that the model says."""
    names = ("state", "token", "last", "attempt", "losses", "path", "event", "queue", "events")
    wanted: dict[str, list[str]] = {}
    for run_id, run in world.runs.items():
        for due in run.open("waiting", "delayed", "leased") if run.status == "running" else ():
            state = {"waiting": "wait", "leased": "active"}.get(due.state, due.state)
            told = (state, due.token, due.last, due.attempt, due.losses, due.path, due.event)
            lines = [str(due.lines)] if due.state == "leased" else []
            wanted[f"{run_id}/{due.step_id}"] = [*map(str, told), run.plan.steps[due.step].queue, *lines]
    with world.store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        for job_id in wanted:
            pipeline.hmget(f"{world.store.keys.prefix}:job:{job_id}", names)
        for (job_id, fields), found in zip(wanted.items(), pipeline.execute(), strict=True):
            assert [(raw or b"").decode() for raw in found][: len(fields)] == fields, job_id


def check_fan_outs(world: World) -> None:
    """What is staged and settled is known to all keepers, and stays until it is laid out."""
    prefix = world.store.keys.prefix
    ids = {f"{run_id}/{due.step_id}" for run_id, due in world.fan_outs()}
    with world.store.talking() as client:
        assert {job_id.decode() for job_id in client.smembers(f"{prefix}:unfolding")} == ids
        assert all(client.pttl(f"{prefix}:stage:{job_id}") == -1 for job_id in ids)


def check_queues(world: World) -> None:
    """Leases are those of the model; a queue from which a job may start has a marker, and says so."""
    prefix = world.store.keys.prefix
    with world.store.talking() as client:
        ready = {name.decode() for name in client.smembers(f"{prefix}:ready")}
        timers = dict(client.zrange(f"{prefix}:timers", 0, -1, withscores=True))
        pipeline = client.pipeline(transaction=False)
        for name in world.limits:
            head = f"{prefix}:queue:{name}"
            pipeline.zcard(f"{head}:wait")
            pipeline.zrange(f"{head}:active", 0, -1, withscores=True)
            pipeline.hget(f"{head}:conf", "cap")
            pipeline.llen(f"{head}:wake")
            pipeline.zrange(f"{head}:delayed", 0, 0, withscores=True)
        found = iter(pipeline.execute())
    ends = {f"{run_id}/{due.step_id}".encode(): due.until_ms for run_id, _, due in world.leased()}
    for name, limit in world.limits.items():
        waits, active, cap, markers, delayed = itertools.islice(found, 5)
        assert (int(cap) if cap else None) == limit
        is_eligible = waits > 0 and (limit is None or len(active) < limit)
        assert (name in ready) == is_eligible, f"`{name}`: {waits} wait, active {active} of {limit}"
        assert markers == 1 or (markers == 0 and not is_eligible), f"nobody is told of `{name}`"
        assert {job: ends.get(job) for job, _ in active} == dict(active)
        assert all(timers[f"d {name}".encode()] <= due for _, due in delayed)


def wait_lists(world: World) -> dict[str, list[str]]:
    """The ids that wait in each queue, of runs that are over as well."""
    with world.store.talking() as client:
        pipeline = client.pipeline(transaction=False)
        for name in world.limits:
            pipeline.zrange(f"{world.store.keys.prefix}:queue:{name}:wait", 0, -1)
        return {
            name: [job_id.decode() for job_id in job_ids]
            for name, job_ids in zip(world.limits, pipeline.execute(), strict=True)
        }


def check_choice(
    world: World, jobs: Sequence[LeasedJob], *, queues: frozenset[str], room: int, free: int, dead: int
) -> None:
    """A fetch has given the right jobs for one of a worker's two rooms; looked at before the model knows.

    Args:
        world: As it was before the fetch, but for the store.
        jobs: What was given, in its order.
        queues: The queues that the room is for.
        room: Jobs that the worker had room for.
        free: Threads that had nothing to do.
        dead: Ids that waited though nothing may come of them.
    """
    assert len(jobs) <= room
    waiting, active = world.waiting(), world.actives()
    given = Counter(job.queue for job in jobs)
    open_places = {
        name: len(waiting[name]) if limit is None else max(0, limit - active[name])
        for name, limit in world.limits.items()
    }
    for name, count in given.items():
        assert name in queues
        assert [job.id for job in jobs if job.queue == name] == waiting[name][:count], f"out of order: {name}"
        assert count <= open_places[name], f"`{name}` has given more than its limit"
        limit = world.limits[name]
        assert limit is None or count <= max(1, free)
        assert all(job.is_limited == (limit is not None) for job in jobs if job.queue == name)
    eligible = {name for name in queues if waiting[name] and open_places[name]}
    if room and eligible and dead < MANY_DEAD:
        assert jobs, f"nothing was given, and {eligible} wait"
    if not dead:
        _check_bands(world, list(given), _bands(world, eligible, waiting), room=room)


def _bands(world: World, eligible: set[str], waiting: Mapping[str, list[str]]) -> dict[str, int]:
    """For each queue the priority of the job that waits first."""
    return {name: world.due_of(waiting[name][0]).place[0] for name in eligible}


def _check_bands(world: World, given: list[str], bands: Mapping[str, int], *, room: int) -> None:
    """Queues whose first job has a lower priority number come first, and none of them is left out."""
    order = [bands[name] for name in given]
    assert order == sorted(order), f"{given} of {bands}"
    first = {name for name, band in bands.items() if band == min(bands.values())}
    assert not room or len(first.intersection(given)) >= min(room, len(first)), f"{given} of {bands}"


def check_versions(world: World) -> None:
    """The version in force is the one that came into force last."""
    pointer = Plans(world.store).pointer(world.plan.flow, world.plan.version)
    assert (pointer.in_force, pointer.is_known) == (world.plan.version, True)
    assert members(world.store, f"versions:{world.plan.flow}")[-1] == world.plan.version
