"""A compiled flow: immutable, hashed, the same in every process that runs it.

A plan is plain data. It is written to the store once per version, and a run is
pinned to it; so whatever routing needs lies in it and is never computed anew by
another release of the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from engine.declare.declaration import Trigger
from engine.errors import VersionNotFound

#: Version of the plan's own shape, part of what is hashed.
PLAN_FORMAT: Final = 2

#: The priority of a step that names none.
DEFAULT_PRIORITY: Final = 5


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a plan.

    Attributes:
        name: The step.
        index: Its place among the plan's steps ordered by name; part of the paths of activations.
        handler: Import path, `module:function`.
        queue: The queue that its jobs wait in.
        subscribes: Events that it subscribes to, ordered by name; empty for the entry, one where it collects.
        emits: Events that its handler may emit.
        trigger: How they trigger it: `any` makes an activation for each, `all` one when every
            one has come, `collect` one when nothing is left that could emit its event.
        priority: Place of its jobs in their queue, 0 (first) to 9.
        concurrency: How many of its jobs may be leased at once in the whole fleet, or None.
        covers: The collects that cannot fire while an activation of this step is open, in the plan's order.
        arms: Those of them that will fire once an activation of this step was made, in the plan's order.
    """

    name: str
    index: int
    handler: str
    queue: str
    subscribes: tuple[str, ...]
    emits: tuple[str, ...]
    trigger: Trigger = "any"
    priority: int = DEFAULT_PRIORITY
    concurrency: int | None = None
    covers: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A compiled flow.

    Attributes:
        flow: Its name.
        version: Content hash, 64 hexadecimal digits (see `compile.version`).
        labels: Free text for people, by name.
        entry: The step that a run begins with.
        steps: All steps by name, ordered by name.
        subscribers: For each event that somebody hears, the steps that subscribe to it, ordered by name.
        collects: The steps that collect, each after those that it waits for, with the number of
            things that it waits for at a run's start: the entry, and the collects before it.
        sinks: Steps none of whose events has a subscriber, ordered by name; they make the result.
    """

    flow: str
    version: str
    labels: Mapping[str, str]
    entry: str
    steps: Mapping[str, StepPlan]
    subscribers: Mapping[str, tuple[str, ...]]
    sinks: tuple[str, ...]
    collects: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def queues(self) -> Mapping[str, int | None]:
        """Every queue that a step of this plan waits in, with the limit of its one step if it has one."""
        return {step.queue: step.concurrency for step in self.steps.values()}

    @cached_property
    def joins(self) -> tuple[StepPlan, ...]:
        """The steps that wait for all of their events."""
        return tuple(step for step in self.steps.values() if step.trigger == "all")

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-able data, without its version: what is hashed and stored."""
        return {
            "format": PLAN_FORMAT,
            "flow": self.flow,
            "labels": dict(self.labels),
            "entry": self.entry,
            "steps": {
                step.name: {
                    "index": step.index,
                    "handler": step.handler,
                    "queue": step.queue,
                    "trigger": step.trigger,
                    "subscribes": list(step.subscribes),
                    "emits": list(step.emits),
                    "priority": step.priority,
                    "concurrency": step.concurrency,
                    "covers": list(step.covers),
                    "arms": list(step.arms),
                }
                for step in self.steps.values()
            },
            "subscribers": {event: list(steps) for event, steps in self.subscribers.items()},
            "sinks": list(self.sinks),
            # A list, since the order of the members of an object is not part of what is hashed.
            "collects": [[name, left] for name, left in self.collects.items()],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], version: str) -> Plan:
        """Rebuild a plan from `to_dict`'s data and the version that it is stored under.

        A plan of format 1 has none of what format 2 brought: joins, collects, priorities and limits.

        Raises:
            VersionNotFound: It was compiled by a later release, whose plans are written otherwise.
        """
        if data["format"] > PLAN_FORMAT:
            raise VersionNotFound(
                f"version {version[:12]} of flow `{data['flow']}` was compiled by a later release "
                f"of flowengine, and this one cannot read it"
            )
        return cls(
            flow=data["flow"],
            version=version,
            labels=data["labels"],
            entry=data["entry"],
            steps={
                name: StepPlan(
                    name=name,
                    index=step["index"],
                    handler=step["handler"],
                    queue=step["queue"],
                    trigger=step.get("trigger", "any"),
                    subscribes=tuple(step["subscribes"]),
                    emits=tuple(step["emits"]),
                    priority=step.get("priority", DEFAULT_PRIORITY),
                    concurrency=step.get("concurrency"),
                    covers=tuple(step.get("covers", ())),
                    arms=tuple(step.get("arms", ())),
                )
                for name, step in data["steps"].items()
            },
            subscribers={event: tuple(steps) for event, steps in data["subscribers"].items()},
            sinks=tuple(data["sinks"]),
            collects=dict(data.get("collects", ())),
        )
