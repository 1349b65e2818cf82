"""What has changed between two sets of plans, flow by flow and step by step; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.compile.graph import Graph
from engine.compile.plan import Plan, StepPlan


@dataclass(frozen=True, slots=True)
class FlowChange:
    """What has become of one flow.

    Attributes:
        flow: Its name.
        before: The version that it had, or None where there was no such flow.
        after: The version that it has, or None where it is gone.
        added: Steps that it has got, in the order in which a reader expects them, as are those below.
        removed: Steps that it has lost.
        altered: Steps that are declared otherwise; what only follows from the other steps does not count.
    """

    flow: str
    before: str | None
    after: str | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    altered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What has become of all flows, ordered by name.

    Attributes:
        added: Flows that there were not.
        removed: Flows that there are no more.
        altered: Flows with another version; without a step in it where only their labels differ.
    """

    added: tuple[FlowChange, ...] = ()
    removed: tuple[FlowChange, ...] = ()
    altered: tuple[FlowChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed."""
        return not (self.added or self.removed or self.altered)


def compare(before: Iterable[Plan], after: Iterable[Plan]) -> Changes:
    """What has changed; either side has one plan a flow."""
    old = {plan.flow: plan for plan in before}
    new = {plan.flow: plan for plan in after}
    return Changes(
        added=tuple(_change(flow, None, new[flow]) for flow in sorted(new.keys() - old.keys())),
        removed=tuple(_change(flow, old[flow], None) for flow in sorted(old.keys() - new.keys())),
        altered=tuple(
            _change(flow, old[flow], new[flow])
            for flow in sorted(old.keys() & new.keys())
            if old[flow].version != new[flow].version
        ),
    )


def _change(flow: str, before: Plan | None, after: Plan | None) -> FlowChange:
    old, new = _declared(before), _declared(after)
    return FlowChange(
        flow=flow,
        before=before.version if before else None,
        after=after.version if after else None,
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        altered=tuple(name for name in new if name in old and new[name] != old[name]),
    )


def _declared(plan: Plan | None) -> dict[str, StepPlan]:
    """What is declared of each step, as a reader expects them."""
    if plan is None:
        return {}
    names = Graph(plan.steps).in_order()
    return {name: replace(plan.steps[name], index=0, covers=(), arms=()) for name in names}
