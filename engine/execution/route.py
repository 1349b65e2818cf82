"""What follows from what a step emitted; pure.

The worker turns emitted events into instructions, and the script, which alone knows the
rest of the run, carries them out and counts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from engine.compile.plan import Plan, StepPlan
from engine.events.record import Collect, Emission, Emitted, Routing, Target


def emissions(path: str, emits: Iterable[Emitted]) -> list[Emission]:
    """Emitted events as they are recorded with a settlement, in order.

    Args:
        path: Path of the activation that emitted.
        emits: The events.

    Returns:
        Emissions whose paths are `<path>.<number from 1>`. The path of what an emission makes
        due is that and the subscriber's index in the plan, so it depends on the cause alone.
    """
    found = []
    for number, (ts_ms, event, payload) in enumerate(emits, start=1):
        head = f'{{"event":"{event}","path":"{path}.{number}","payload":'.encode()
        found.append(Emission(ts_ms, f"{path}.{number}", len(head) + 1, event, b"%b%b}" % (head, payload)))
    return found


def route(plan: Plan, step: str, events: Iterable[str], *, served: Container[str]) -> Routing:
    """What may follow when an attempt of a step is settled.

    Args:
        plan: The plan that the run is pinned to.
        step: The step.
        events: Events that it has emitted.
        served: Queues that this process serves, whose jobs it may take along.
    """
    # Whatever a collect waits for, the collects before that wait for too: no others can be concerned.
    covers = plan.steps[step].covers
    events = tuple(events)
    first = _first(plan, (*covers, *(name for event in events for name in plan.subscribers.get(event, ()))))
    return Routing(
        joins=" ".join(f"{join.name}:{','.join(join.subscribes)}" for join in plan.joins),
        collects=[_collect(plan.steps[name], covers) for name in covers],
        targets={event: _targets(plan, event, covers, first, served) for event in events},
    )


def _first(plan: Plan, names: Iterable[str]) -> dict[str, int]:
    """By queue, the priority of those steps that are to be begun before the others."""
    first: dict[str, int] = {}
    for step in (plan.steps[name] for name in names):
        first[step.queue] = min(step.priority, first.get(step.queue, step.priority))
    return first


def _targets(
    plan: Plan, event: str, covers: Sequence[str], first: Mapping[str, int], served: Container[str]
) -> list[Target]:
    targets = []
    for name in plan.subscribers.get(event, ()):
        step = plan.steps[name]
        if step.trigger == "collect":
            continue
        is_join = step.trigger == "all"
        # What is taken along is chosen before the rest of the settlement is known to be waiting, so it must
        # not be of a lower priority. The input of a join is read from the log anyway, and a limited queue
        # has to be asked first.
        is_takeable = (
            not is_join
            and step.concurrency is None
            and step.priority == first[step.queue]
            and step.queue in served
        )
        targets.append(
            Target(
                name,
                step.queue,
                step.index,
                step.priority,
                ",".join(step.subscribes) if is_join else "",
                int(is_takeable),
                _places(step.covers, covers),
                _places(step.arms, covers),
            )
        )
    return targets


def _collect(step: StepPlan, covers: Sequence[str]) -> Collect:
    return Collect(
        step.name,
        step.queue,
        step.index,
        step.priority,
        step.subscribes[0],
        _places(step.covers, covers),
        _places(step.arms, covers),
    )


def _places(names: Sequence[str], among: Sequence[str]) -> str:
    """Places from 1, joined by ","."""
    return ",".join(str(among.index(name) + 1) for name in names) if names else ""
