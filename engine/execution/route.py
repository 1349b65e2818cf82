"""What follows from what a step emitted; pure.

The worker turns emitted events into instructions, and the script, which alone knows the
rest of the run, carries them out and counts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from engine.compile.plan import Plan
from engine.events.record import Emission, Target


def route(
    plan: Plan, path: str, emits: Iterable[tuple[int, str, bytes]], *, served: Container[str]
) -> list[Emission]:
    """Instructions for each emission, in order.

    Args:
        plan: The plan that the run is pinned to.
        path: Path of the activation that emitted.
        emits: `(ts_ms, event, payload)`, the payload as JSON.
        served: Queues that this process serves, whose jobs it may take along.

    Returns:
        Emissions whose paths are `<path>.<number from 1>`. The path of what an emission makes
        due is that and the subscriber's index in the plan, so it depends on the cause alone.
    """
    emissions = []
    for number, (ts_ms, event, payload) in enumerate(emits, start=1):
        emission_path = f"{path}.{number}"
        head = f'{{"event":"{event}","path":"{emission_path}","payload":'.encode()
        targets = [_target(plan, name, served) for name in plan.subscribers.get(event, ())]
        emissions.append(
            Emission(ts_ms, emission_path, len(head) + 1, b"%b%b}" % (head, payload), event, targets)
        )
    return emissions


def _target(plan: Plan, name: str, served: Container[str]) -> Target:
    step = plan.steps[name]
    return Target(name, step.queue, step.index, step.queue in served)
