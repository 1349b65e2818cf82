"""A small plan and the events of runs of it, for tests of what is printed."""

from __future__ import annotations

from typing import Any

from engine.compile.plan import Plan, StepPlan
from engine.events.fold import RunState, fold
from engine.events.types import Event

BEGIN_MS = 1_767_225_600_000

VERSION = "1a2b3c4d" + "0" * 56


def step(name: str, index: int, *, subscribes: tuple[str, ...] = (), emits: tuple[str, ...] = ()) -> StepPlan:
    return StepPlan(name, index, f"handlers.shop:{name}", f"shop.{name}", subscribes, emits)


#: take → charge and pack → ship.
PLAN = Plan(
    flow="shop",
    version=VERSION,
    labels={},
    entry="take",
    steps={
        "charge": step("charge", 0, subscribes=("order.taken",), emits=("order.paid",)),
        "pack": step("pack", 1, subscribes=("order.taken",), emits=("order.packed",)),
        "ship": step("ship", 2, subscribes=("order.packed", "order.paid")),
        "take": step("take", 3, emits=("order.taken",)),
    },
    subscribers={"order.packed": ("ship",), "order.paid": ("ship",), "order.taken": ("charge", "pack")},
    sinks=("ship",),
)


def event(
    kind: str, after_ms: int, step_id: str | None = None, number: int | None = None, /, **data: Any
) -> Event:
    return Event(
        id=f"{BEGIN_MS + after_ms}-0",
        ts_ms=BEGIN_MS + after_ms,
        type=kind,
        run_id="run1",
        flow_name="shop",
        step_name=step_id.partition("#")[0] if step_id else None,
        step_id=step_id,
        attempt=number,
        data=data,
    )


#: A run that has emitted once; `charge` runs its second attempt, `pack` waits.
HALF_WAY = [
    event("flow.start", 0, version=VERSION, input={"n": 1}, to=["take#1"]),
    event("step.started", 1, "take#1", 1, worker="w1"),
    event("log", 2, "take#1", 1, level="info", message="taking"),
    event("emit", 3, "take#1", 1, event="order.taken", payload={}, to=["charge#1", "pack#1"]),
    event("step.completed", 5, "take#1", 1, result={"id": 7}, duration=4),
    event("step.started", 6, "charge#1", 1, worker="w1"),
    event(
        "step.retry",
        10,
        "charge#1",
        1,
        error={"type": "ValueError", "message": "no card"},
        attempt=1,
        maxAttempts=3,
        failures=1,
        delay=100,
    ),
    event("step.started", 110, "charge#1", 2, worker="w1"),
]

#: The same run after its second attempt failed for good.
FAILED = [
    *HALF_WAY,
    event(
        "step.failed",
        120,
        "charge#1",
        2,
        error={
            "type": "ValueError",
            "message": "no card",
            "traceback": 'Traceback:\n  File "shop.py", line 3, in charge\nValueError: no card',
        },
        cause="error",
        ends=True,
    ),
    event(
        "flow.failed", 121, error={"type": "ValueError", "message": "no card"}, step="charge", duration=121
    ),
]


def folded(events: list[Event]) -> RunState:
    run = fold(events)
    assert run is not None
    return run
