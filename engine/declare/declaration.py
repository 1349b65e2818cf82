"""A flow as its author declared it, in the words of the vocabulary, with places.

Nothing here is looked up, checked or filled in: that a step's queue is not named
is None here, and becomes a name in the planner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .span import Span

Role = Literal["entry", "step"]

#: How a step's subscriptions trigger it: each event, all of them together, or all that there were of one.
Trigger = Literal["any", "all", "collect"]


@dataclass(frozen=True, slots=True)
class Located:
    """A word of a declaration: a name or an import path.

    Attributes:
        text: The word.
        span: Where it stands.
    """

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class LocatedNumber:
    """A whole number of a declaration.

    Attributes:
        value: The number.
        span: Where it stands.
    """

    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class StepDeclaration:
    """A declared step.

    Attributes:
        name: The step, at its key.
        role: `entry` for the step that a run begins with.
        role_span: Where the role stands, or the step's name where it is left out.
        handler: Import path, `module:function`.
        trigger: How the events that it subscribes to trigger it; `any` where it subscribes to nothing.
        subscribes: Events that it subscribes to, in the author's order; one where it collects.
        emits: Events that it may emit, in the author's order.
        queue: The queue that the author named, if any.
        priority: The place that its jobs take in their queue, 0 (first) to 9, if the author named one.
        concurrency: How many of its jobs may run at once in the whole fleet, if that is limited.
    """

    name: Located
    role: Role
    role_span: Span
    handler: Located
    trigger: Trigger
    subscribes: tuple[Located, ...]
    emits: tuple[Located, ...]
    queue: Located | None
    priority: int | None
    concurrency: LocatedNumber | None

    @property
    def is_entry(self) -> bool:
        """Whether a run begins with this step."""
        return self.role == "entry"


@dataclass(frozen=True, slots=True)
class FlowDeclaration:
    """A declared flow.

    Attributes:
        name: The flow.
        labels: Free text for people, by name.
        default_queue: The queue of all steps that name none, if any.
        steps: In the author's order.
        steps_span: Where the key `steps` stands.
    """

    name: Located
    labels: Mapping[str, str]
    default_queue: Located | None
    steps: tuple[StepDeclaration, ...]
    steps_span: Span
