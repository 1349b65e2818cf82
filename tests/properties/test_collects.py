"""What stands before each collect, against the definition worked out by brute force."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from engine.compile.collects import cover
from engine.compile.graph import Graph
from engine.compile.plan import StepPlan
from engine.declare.declaration import Trigger


@st.composite
def graphs(draw):
    """An acyclic flow: an event is emitted by steps before some place, and heard by steps behind it."""
    count = draw(st.integers(1, 8))
    places = {f"e{number}": draw(st.integers(1, count)) for number in range(draw(st.integers(0, 6)))}
    steps: dict[str, StepPlan] = {}
    for index in range(count):
        name = f"s{draw(st.integers(0, 9))}.{index}"
        can_emit = [event for event, place in places.items() if index < place]
        can_hear = [event for event, place in places.items() if index >= place]
        emits = draw(st.lists(st.sampled_from(can_emit), unique=True, max_size=3)) if can_emit else []
        heard = draw(st.lists(st.sampled_from(can_hear), unique=True, max_size=3)) if can_hear else []
        trigger: Trigger = "collect" if len(heard) == 1 and draw(st.booleans()) else "any"
        steps[name] = StepPlan(name, index, "m:f", "q", tuple(heard), tuple(emits), trigger)
    return Graph(steps)


def closure(steps):
    """Pairs of a step and one that it leads to: itself, those that hear its events, and so on."""
    leads = {(name, name) for name in steps}
    leads |= {
        (name, other)
        for name, step in steps.items()
        for other in steps
        if {*step.emits} & {*steps[other].subscribes}
    }
    for middle, start, end in product(steps, repeat=3):
        if (start, middle) in leads and (middle, end) in leads:
            leads.add((start, end))
    return leads


def hearers(steps, event):
    """Every step that subscribes to an event."""
    return {name for name, step in steps.items() if event in step.subscribes}


def upstream(steps, event):
    """Every step from which a step that emits the event can be reached."""
    leads = closure(steps)
    return {
        name
        for name in steps
        if any((name, other) in leads and event in step.emits for other, step in steps.items())
    }


def arming(steps, event):
    """Those of them all of whose events that somebody hears lead to the collect."""
    before = upstream(steps, event)
    return {
        name
        for name in before
        if all(
            heard == event or hearers(steps, heard) & before
            for heard in steps[name].emits
            if hearers(steps, heard)
        )
    }


@given(graphs())
def test_the_tables_are_those_of_the_definition(graph):
    steps, found = graph.steps, cover(graph)
    collects = {name: step.subscribes[0] for name, step in steps.items() if step.trigger == "collect"}

    assert found.left.keys() == collects.keys()
    assert found.covers.keys() == found.arms.keys() == steps.keys()
    for collect, event in collects.items():
        before = upstream(steps, event)
        assert {name for name in steps if collect in found.covers[name]} == before
        assert {name for name in steps if collect in found.arms[name]} == arming(steps, event)
        assert found.left[collect] == 1 + len(before & collects.keys())
        assert collect not in before


@given(graphs())
def test_each_collect_comes_after_those_that_it_waits_for(graph):
    steps, found = graph.steps, cover(graph)
    order = list(found.left)

    for name in steps:
        assert list(found.covers[name]) == [collect for collect in order if collect in found.covers[name]]
        assert list(found.arms[name]) == [
            collect for collect in found.covers[name] if collect in found.arms[name]
        ]
        for later in found.covers[name]:
            assert name not in order or order.index(name) < order.index(later)


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_the_declaration_does_not_matter(graph, chance):
    shuffled = list(graph.steps.items())
    chance.shuffle(shuffled)
    found, again = cover(graph), cover(Graph(dict(shuffled)))

    assert (again.covers, again.arms) == (found.covers, found.arms)
    assert list(again.left.items()) == list(found.left.items())
