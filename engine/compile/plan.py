"""A compiled flow: immutable, hashed, the same in every process that runs it.

A plan is plain data. It is written to the store once per version, and a run is
pinned to it; so whatever routing needs lies in it and is never computed anew by
another release of the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: Version of the plan's own shape, part of what is hashed.
PLAN_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a plan.

    Attributes:
        name: The step.
        index: Its place among the plan's steps ordered by name; part of the paths of activations.
        handler: Import path, `module:function`.
        queue: The queue that its jobs wait in.
        subscribes: Events each of which makes one activation; empty for the entry.
        emits: Events that its handler may emit.
    """

    name: str
    index: int
    handler: str
    queue: str
    subscribes: tuple[str, ...]
    emits: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A compiled flow.

    Attributes:
        flow: Its name.
        version: Content hash, 64 hexadecimal digits (see `compile.version`).
        labels: Free text for people, by name.
        entry: The step that a run begins with.
        steps: All steps by name, ordered by name.
        subscribers: For each event that somebody hears, the steps that it triggers, ordered by name.
        sinks: Steps none of whose events has a subscriber, ordered by name; they make the result.
    """

    flow: str
    version: str
    labels: Mapping[str, str]
    entry: str
    steps: Mapping[str, StepPlan]
    subscribers: Mapping[str, tuple[str, ...]]
    sinks: tuple[str, ...]

    @cached_property
    def queues(self) -> frozenset[str]:
        """Every queue that a step of this plan waits in."""
        return frozenset(step.queue for step in self.steps.values())

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
                    "subscribes": list(step.subscribes),
                    "emits": list(step.emits),
                }
                for step in self.steps.values()
            },
            "subscribers": {event: list(steps) for event, steps in self.subscribers.items()},
            "sinks": list(self.sinks),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], version: str) -> Plan:
        """Rebuild a plan from `to_dict`'s data and the version that it is stored under."""
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
                    subscribes=tuple(step["subscribes"]),
                    emits=tuple(step["emits"]),
                )
                for name, step in data["steps"].items()
            },
            subscribers={event: tuple(steps) for event, steps in data["subscribers"].items()},
            sinks=tuple(data["sinks"]),
        )
