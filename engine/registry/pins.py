"""The plans that runs are pinned to, which may be older or newer than the ones in force here."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from engine.compile.link import Handler
from engine.compile.plan import Plan
from engine.errors import FlowNotFound
from engine.store.plans import Plans

from .plans import LinkedPlan, Registry

#: Pinned plans that are kept linked, at most; the oldest goes first and is read again when asked for.
_KEPT: Final = 200


class Pins:
    """Finds the plan of a run by flow and version."""

    def __init__(self, registry: Registry, plans: Plans, link: Callable[[str], Handler]) -> None:
        """Prepare.

        Args:
            registry: The plans in force.
            plans: The plans in the store.
            link: Import path → function of the code that this process has loaded; raises `HandlerError`.
        """
        self._registry = registry
        self._plans = plans
        self._link = link
        self._lock = Lock()
        self._pinned: dict[tuple[str, str], LinkedPlan] = {}
        self._forgotten = 0

    def forget_handlers(self) -> None:
        """Link anew from here on: the process has other code now. The plans stay, which never change."""
        with self._lock:
            self._forgotten += 1
            self._pinned = {of: LinkedPlan(pinned.plan, {}) for of, pinned in self._pinned.items()}

    def get(self, flow: str, version: str, step: str) -> LinkedPlan:
        """The plan that a run is pinned to, with the handler of one of its steps.

        Raises:
            VersionNotFound: It is neither here nor in the store.
            HandlerError: The code that this process has loaded lacks the handler.
            StoreError: The store cannot be read.
        """
        try:
            in_force = self._registry.in_force(flow)
        except FlowNotFound:
            in_force = None
        if in_force is not None and in_force.plan.version == version:
            return in_force
        while True:
            with self._lock:
                pinned, forgotten = self._read(flow, version), self._forgotten
            if step in pinned.handlers:
                return pinned
            # One by one: code that lacks a handler can still serve the other steps. Not under the lock,
            # since importing a user's module may take long.
            handler = self._link(pinned.plan.steps[step].handler)
            with self._lock:
                # What was found in the code of before, and comes back when that has been forgotten, would
                # stay for good.
                if self._forgotten == forgotten:
                    pinned = self._read(flow, version)
                    pinned = LinkedPlan(pinned.plan, {**pinned.handlers, step: handler})
                    self._pinned[flow, version] = pinned
                    return pinned

    def plan(self, flow: str, version: str) -> Plan:
        """The plan of a version, without its handlers.

        Raises:
            VersionNotFound: It is not in the store.
            StoreError: The store cannot be read.
        """
        with self._lock:
            return self._read(flow, version).plan

    def _read(self, flow: str, version: str) -> LinkedPlan:
        pinned = self._pinned.get((flow, version))
        if pinned is None:
            plan = Plan.from_dict(self._plans.read(flow, version), version)
            pinned = self._pinned[flow, version] = LinkedPlan(plan, {})
            while len(self._pinned) > _KEPT:
                del self._pinned[next(iter(self._pinned))]
        return pinned
