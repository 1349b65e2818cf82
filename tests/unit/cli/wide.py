"""A flow that fans out and collects, and the events of runs of it, for tests of what is shown."""

from __future__ import annotations

from engine.cli.tally import Tally
from engine.events.fold import RunState, begin
from engine.events.types import Event
from tests.support.store import plan_from
from tests.unit.cli.sample import event

#: find → work, once for each → add, which collects.
WIDE = plan_from(
    {
        "find": {"emits": ["found"]},
        "work": {"subscribes": "found", "emits": ["done"]},
        "add": {"subscribes": {"collect": "done"}},
    },
    flow="wide",
)

#: Two branches that a join waits for.
FORK = plan_from(
    {
        "take": {"emits": ["paid", "packed"]},
        "pay": {"subscribes": "paid", "emits": ["ok"]},
        "pack": {"subscribes": "packed", "emits": ["wrapped"]},
        "ship": {"subscribes": {"all": ["ok", "wrapped"]}},
    },
    flow="fork",
)

#: Of two branches one was taken.
HALF_FULL = [
    event("flow.start", 0, version=FORK.version, input=None, to=["take#1"]),
    event("emit", 1, "take#1", 1, event="paid", to=["pay#1"]),
    event("step.completed", 2, "take#1", 1, result=None, duration=1),
    event("emit", 3, "pay#1", 1, event="ok", to=[]),
    event("step.completed", 4, "pay#1", 1, result=None, duration=1),
]


def fan_out(total: int, *, done: int = 0, running: int = 0, announced: int | None = None) -> list[Event]:
    """A run in which so many activations of `work` are due, done and running.

    Args:
        total: Activations that are due.
        done: Those of them that have completed.
        running: Further ones that have begun.
        announced: How many there will be, where not all are recorded yet.
    """
    events = [
        event("flow.start", 0, version=WIDE.version, input=None, to=["find#1"]),
        event("step.started", 1, "find#1", 1, worker="w1"),
    ]
    wide = {} if announced is None else {"emits": announced}
    ended = event("step.completed", 2, "find#1", 1, result=None, duration=1, **wide)
    found = [
        event("emit", 2, "find#1", 1, event="found", to=[f"work#{n}"], **({"k": n} if wide else {}))
        for n in range(1, total + 1)
    ]
    events += [ended, *found] if wide else [*found, ended]
    for n in range(1, done + running + 1):
        events.append(event("step.started", 3 + n, f"work#{n}", 1, worker="w1"))
    for n in range(1, done + 1):
        events.append(event("emit", 1000 + n, f"work#{n}", 1, event="done", to=[]))
        events.append(event("step.completed", 1000 + n, f"work#{n}", 1, result=None, duration=1))
    return events


def counted(events: list[Event]) -> tuple[RunState, Tally]:
    """The run, folded and counted."""
    run, tally = begin(events[0]), Tally()
    tally.count(events[0], run)
    for one in events[1:]:
        run.apply(one)
        tally.count(one, run)
    return run, tally
