"""What Hypothesis draws: JSON values, flows, and what a step may do in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from engine.compile.plan import Plan
from engine.compile.version import version_of
from tests.support.store import plan_from

#: Any value that JSON can say and the codec takes.
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """The steps of a flow as they are declared.

    Each step hears events of steps before it, one of several, all of them or a collect; an event may have
    several emitters and any number of subscribers, none as well.
    """
    steps: dict[str, Any] = {}
    events: list[str] = []
    heard: set[str] = set()
    for number in range(draw(st.sampled_from([1, 2, 3, 4, 5, 5, 6, 6, 7, 7, 8, 8]))):
        step: dict[str, Any] = {}
        if number:
            step["subscribes"] = subscribes = draw(_subscriptions(events))
            words = subscribes if isinstance(subscribes, str) else next(iter(subscribes.values()))
            heard.update([words] if isinstance(words, str) else words)
        # Whoever hears an event comes after all who emit it: so nothing can set itself off.
        open_events = [event for event in events if event not in heard]
        emits: list[str] = []
        for letter in "xy"[: draw(st.integers(0 if number else 1, 2))]:
            known = [event for event in open_events if event not in emits]
            emits.append(draw(st.sampled_from([f"e{number}{letter}", *known])))
        if emits:
            step["emits"] = emits
        events += [event for event in emits if event not in events]
        step |= draw(_places(number))
        steps[f"s{number}"] = step
    return steps


@st.composite
def _subscriptions(draw: st.DrawFn, events: list[str]) -> Any:
    kind = draw(st.sampled_from(["one", "any", "all", "collect", "one", "all", "collect"]))
    # Late events rather than early ones, so that flows become deep.
    count = min(len(events), draw(st.integers(1, 3)) if kind in ("any", "all") else 1)
    names = draw(st.permutations(events[-4:]))[:count]
    if kind == "collect":
        return {"collect": names[0]}
    if kind == "all":
        return {"all": names}
    return {"any": names} if len(names) > 1 else names[0]


@st.composite
def _places(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """Where the jobs of a step wait: with those of other steps, or alone and perhaps limited."""
    place: dict[str, Any] = {"queue": draw(st.sampled_from([f"q{number}", "shared"]))}
    if place["queue"] != "shared" and (limit := draw(st.sampled_from([None, None, 1, 2]))):
        place["concurrency"] = limit
    if (priority := draw(st.sampled_from([None, None, 0, 9]))) is not None:
        place["priority"] = priority
    return place


#: Flows.
plans: st.SearchStrategy[Plan] = declarations().map(plan_from)


def with_limits(plan: Plan, limit: int | None) -> Plan:
    """Another version of a flow, in which the steps that are alone on their queues have this limit."""
    steps = {
        name: step if step.queue == "shared" else replace(step, concurrency=limit)
        for name, step in plan.steps.items()
    }
    changed = replace(plan, steps=steps)
    return replace(changed, version=version_of(changed))
