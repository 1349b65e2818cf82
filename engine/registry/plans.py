"""The plans in force in this process, and the functions that their steps name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.compile.link import Handler, is_async
from engine.compile.plan import Plan
from engine.errors import FlowNotFound


@dataclass(frozen=True, slots=True)
class LinkedPlan:
    """A plan whose handlers are at hand.

    Attributes:
        plan: The plan.
        handlers: The function of each step, by the step's name.
    """

    plan: Plan
    handlers: Mapping[str, Handler]
    _asyncs: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked at once, since every call asks.
        asyncs = frozenset(step for step, handler in self.handlers.items() if is_async(handler))
        object.__setattr__(self, "_asyncs", asyncs)

    def is_async(self, step: str) -> bool:
        """Whether the handler of a step is to be awaited; False too where that handler is not at hand."""
        return step in self._asyncs

    @classmethod
    def link(cls, plan: Plan, handlers: Mapping[str, Handler]) -> LinkedPlan:
        """Pair a plan with its functions, given by import path."""
        return cls(plan, {step.name: handlers[step.handler] for step in plan.steps.values()})


class Registry:
    """The plans in force, one a flow; swapped whole, in one assignment, so a reader never sees half."""

    def __init__(self) -> None:
        self._plans: Mapping[str, LinkedPlan] = {}

    def swap(self, plans: Iterable[Plan], handlers: Mapping[str, Handler]) -> None:
        """Put these plans, and no others, in force."""
        self._plans = {plan.flow: LinkedPlan.link(plan, handlers) for plan in plans}

    @property
    def linked(self) -> Iterable[LinkedPlan]:
        """Every plan in force."""
        return self._plans.values()

    def in_force(self, flow: str) -> LinkedPlan:
        """The plan of a flow.

        Raises:
            FlowNotFound: This process has no such flow.
        """
        try:
            return self._plans[flow]
        except KeyError:
            known = ", ".join(f"`{name}`" for name in sorted(self._plans)) or "none"
            raise FlowNotFound(f"there is no flow `{flow}` here; known are {known}") from None
