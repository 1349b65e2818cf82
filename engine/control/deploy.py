"""Putting a version into the store."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from engine.compile.plan import Plan
from engine.errors import VersionNotFound
from engine.registry.changes import Changes, compare
from engine.store.connection import Store
from engine.store.plans import Mode, Plans


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a version.

    Attributes:
        outcome: `stored` only; `current`: already in force; `old`: another one stays in force; `new` in
            force; `back`: a version that had been in force is so again.
        in_force: With `old`, the version that stays in force.
        before: With `new` and `back`, the version that was in force until now; None where there was none.
    """

    outcome: str
    in_force: str | None
    before: str | None = None

    @property
    def is_change(self) -> bool:
        """Whether this version has come into force."""
        return self.outcome in ("new", "back")


def deploy(store: Store, plan: Plan, *, source: str, mode: Mode) -> Deployed:
    """Store a plan, and put it in force where its version is new to this store, or on purpose.

    Args:
        store: Where to.
        plan: The version.
        source: Text of the file that it was made from.
        mode: `serve` puts it in force where its version is new to this store, `deploy` in any case, also
            where another version that is newer is in force; `store` leaves the pointer alone.

    Raises:
        StoreError: The store cannot be reached or is full.
    """
    plans = Plans(store)
    while True:
        pointer = plans.pointer(plan.flow, plan.version) if mode == "deploy" else None
        outcome, other = plans.deploy(
            plan.flow,
            plan.version,
            plan=plan.to_dict(),
            source=source,
            mode=mode,
            seen_ms=pointer.moved_ms if pointer else 0,
            queues=plan.queues,
        )
        if outcome == "moved":
            # Somebody else has put a version in force since the pointer was looked at: this one comes after.
            continue
        if outcome == "current" and pointer and pointer.in_force != plan.version:
            # The answer to the first copy of this call was lost.
            outcome, other = "back" if pointer.is_known else "new", pointer.in_force
        is_old = outcome == "old"
        return Deployed(outcome, other if is_old else None, None if is_old else other)


def put(store: Store, plan: Plan, *, source: str) -> None:
    """Store a plan and change nothing else: neither what is in force nor the limits of queues.

    Raises:
        StoreError: The store cannot be reached or is full.
    """
    Plans(store).deploy(plan.flow, plan.version, plan=plan.to_dict(), source=source, mode="store", queues={})


def changes_of(store: Store, deployed: Iterable[tuple[Plan, Deployed]]) -> Changes:
    """What has changed in a store by versions that were deployed.

    Raises:
        StoreError: The store cannot be reached.
    """
    plans = Plans(store)
    before, after = [], []
    for plan, became in deployed:
        if became.is_change:
            after.append(plan)
            # Whoever has deleted that plan has made this flow a new one.
            with suppress(VersionNotFound):
                if became.before is not None:
                    before.append(Plan.from_dict(plans.read(plan.flow, became.before), became.before))
    return compare(before, after)


def plan_in_force(store: Store, flow: str) -> Plan:
    """The plan that a new run of a flow gets from the store.

    Raises:
        FlowNotFound: No worker has ever served this flow there.
        StoreError: The store cannot be reached.
    """
    plans = Plans(store)
    version = plans.version_in_force(flow)
    return Plan.from_dict(plans.read(flow, version), version)
