"""A declaration into a plan; pure.

The plan has nothing of the file's accidents: everything in it is ordered by name,
so that the same flow has the same version however it is written down.
"""

from __future__ import annotations

from dataclasses import replace

from engine.declare.declaration import FlowDeclaration, StepDeclaration

from .collects import cover
from .graph import Graph
from .plan import DEFAULT_PRIORITY, Plan, StepPlan
from .version import version_of


def plan_of(flow: FlowDeclaration) -> Plan:
    """The plan of a flow that `validate` has no errors to report of."""
    declared = sorted(flow.steps, key=lambda step: step.name.text)
    steps = {step.name.text: _step(flow, step, index) for index, step in enumerate(declared)}
    graph = Graph(steps)
    found = cover(graph)
    plan = Plan(
        flow=flow.name.text,
        version="",
        labels=dict(sorted(flow.labels.items())),
        entry=next(step.name.text for step in declared if step.is_entry),
        steps={
            name: replace(step, covers=found.covers[name], arms=found.arms[name])
            for name, step in steps.items()
        },
        subscribers={event: tuple(names) for event, names in sorted(graph.subscribers.items())},
        sinks=tuple(step.name for step in steps.values() if graph.subscribers.keys().isdisjoint(step.emits)),
        collects=found.left,
    )
    return replace(plan, version=version_of(plan))


def _step(flow: FlowDeclaration, step: StepDeclaration, index: int) -> StepPlan:
    name = step.name.text
    queue = step.queue or flow.default_queue
    return StepPlan(
        name=name,
        index=index,
        handler=step.handler.text,
        queue=queue.text if queue else f"{flow.name.text}.{name}",
        trigger=step.trigger,
        subscribes=tuple(sorted(event.text for event in step.subscribes)),
        emits=tuple(sorted(event.text for event in step.emits)),
        priority=DEFAULT_PRIORITY if step.priority is None else step.priority,
        concurrency=step.concurrency.value if step.concurrency else None,
    )
