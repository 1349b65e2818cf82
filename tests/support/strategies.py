"""What Hypothesis draws: JSON values, flows, and what a step may do in them."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from engine.compile.plan import Plan
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


def random_plan(chance: Random) -> Plan:
    """A flow of one to five steps; each hears events of earlier ones, and some events nobody hears."""
    steps: dict[str, Any] = {}
    events: list[str] = []
    for number in range(chance.randint(1, 5)):
        emits = [f"e{number}{letter}" for letter in "xy"[: chance.randint(0 if number else 1, 2)]]
        # A shared queue now and then: then the jobs of several steps wait behind each other.
        step: dict[str, Any] = {"queue": chance.choice([f"q{number}", "shared"])}
        if emits:
            step["emits"] = emits
        if number:
            heard = chance.sample(events, chance.randint(1, min(2, len(events))))
            step["subscribes"] = {"any": heard} if len(heard) > 1 else heard[0]
        steps[f"s{number}"] = step
        events += emits
    return plan_from(steps)


#: Flows, as `random_plan` makes them.
plans: st.SearchStrategy[Plan] = st.builds(random_plan, st.randoms(use_true_random=False))
