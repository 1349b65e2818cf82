"""What a ledger has to count, by the log and the plan alone: joins and collects in other words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.compile.plan import Plan
from engine.events.fold import RunState, begin
from engine.events.types import EMIT, STEP_COMPLETED, Event


@dataclass
class Counts:
    """The counters of a running run.

    Attributes:
        open: Open activations, fan-outs on their way and undecided collects.
        left: The same for each undecided collect, of what is before it; 0 for a decided one.
        armed: Collects that will fire, or have.
        heard: For each join the ids of the first emissions, by event.
        half: Joins that have some events and not all.
        unfolding: For each fan-out on its way the emissions laid out and all of them.
        dropped: Collects whose branch was not taken.
    """

    open: int
    left: dict[str, int]
    armed: set[str]
    heard: dict[str, dict[str, str]]
    half: int
    unfolding: dict[str, tuple[int, int]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)


def count(plan: Plan, events: Iterable[Event]) -> tuple[RunState, Counts]:
    """Fold a log, and count with the plan what it leaves open.

    Checks on the way that no collect fires twice, and that a collect fires exactly when it is armed and
    nothing before it is left.
    """
    first, *rest = events
    run = begin(first)
    heard: dict[str, dict[str, str]] = {join.name: {} for join in plan.joins}
    gathered: set[str] = set()
    fan_outs: dict[str, tuple[int, int]] = {}
    for event in rest:
        if event.type == EMIT and run.status == "running":
            gathered.add(event.data["event"])
            for name in plan.subscribers.get(event.data["event"], ()):
                if name in heard:
                    heard[name].setdefault(event.data["event"], event.id)
        was_running = run.status == "running"
        run.apply(event)
        if event.type == STEP_COMPLETED and event.data.get("emits") and was_running:
            fan_outs[str(event.step_id)] = (0, event.data["emits"])
        if event.type == EMIT and "k" in event.data:
            step_id = str(event.step_id)
            done, total = fan_outs.pop(step_id)
            assert event.data["k"] == done + 1, f"{step_id} is not laid out in order"
            if done + 1 < total:
                fan_outs[step_id] = (done + 1, total)
    return run, _counts(plan, run, heard, gathered, fan_outs)


def _counts(
    plan: Plan,
    run: RunState,
    heard: dict[str, dict[str, str]],
    gathered: set[str],
    fan_outs: dict[str, tuple[int, int]],
) -> Counts:
    open_steps = Counter(it.step for it in run.activations.values() if it.is_open)
    open_steps.update(step_id.rpartition("#")[0] for step_id in fan_outs)
    armed = {name for name in plan.collects if any(name in plan.steps[step].arms for step in run.created)}
    armed |= {name for name in plan.collects if plan.steps[name].subscribes[0] in gathered}
    undecided = [name for name in plan.collects if name not in run.created]
    dropped: set[str] = set()
    left = {}
    for name in plan.collects:
        before = sum(many for step, many in open_steps.items() if name in plan.steps[step].covers)
        before += sum(name in plan.steps[other].covers for other in undecided)
        assert run.created.get(name, 0) <= 1, f"collect {name} fired twice"
        if run.status == "running":
            assert (name in run.created) == (before == 0 and name in armed), (
                f"collect {name} fires early or late"
            )
        if name in undecided and before == 0:
            undecided.remove(name)
            dropped.add(name)
        left[name] = before
    half = sum(0 < len(heard[join.name]) < len(join.subscribes) for join in plan.joins)
    for join in plan.joins:
        if run.status == "running":
            is_full = len(heard[join.name]) == len(join.subscribes)
            assert run.created.get(join.name, 0) == is_full, f"join {join.name} fires early, late or twice"
    return Counts(sum(open_steps.values()) + len(undecided), left, armed, heard, half, fan_outs, dropped)
