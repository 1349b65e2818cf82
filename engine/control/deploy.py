"""Putting a version into the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.compile.plan import Plan
from engine.store.connection import Store
from engine.store.plans import Plans


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a version.

    Attributes:
        outcome: `stored` only, `new` in force, `current` already in force, `old`: another stays in force.
        in_force: With `old`, the version that stays in force.
    """

    outcome: str
    in_force: str | None


def deploy(store: Store, plan: Plan, *, source: str, mode: Literal["serve", "store"]) -> Deployed:
    """Store a plan, and with `serve` put it in force where its version is new to this store.

    Raises:
        StoreError: The store cannot be reached or is full.
    """
    outcome, in_force = Plans(store).deploy(
        plan.flow, plan.version, plan=plan.to_dict(), source=source, mode=mode, queues=plan.queues
    )
    return Deployed(outcome, in_force)


def plan_in_force(store: Store, flow: str) -> Plan:
    """The plan that a new run of a flow gets from the store.

    Raises:
        FlowNotFound: No worker has ever served this flow there.
        StoreError: The store cannot be reached.
    """
    plans = Plans(store)
    version = plans.version_in_force(flow)
    return Plan.from_dict(plans.read(flow, version), version)
