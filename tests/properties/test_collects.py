"""What stands before each collect, against the definition worked out by brute force."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from engine.compile.collects import Node, cover


@st.composite
def graphs(draw):
    """An acyclic flow: an event is emitted by steps before some place, and heard by steps behind it."""
    count = draw(st.integers(1, 8))
    places = {f"e{number}": draw(st.integers(1, count)) for number in range(draw(st.integers(0, 6)))}
    steps: dict[str, Node] = {}
    subscribers: dict[str, list[str]] = {}
    for index in range(count):
        name = f"s{draw(st.integers(0, 9))}.{index}"
        can_emit = [event for event, place in places.items() if index < place]
        can_hear = [event for event, place in places.items() if index >= place]
        emits = draw(st.lists(st.sampled_from(can_emit), unique=True, max_size=3)) if can_emit else []
        heard = draw(st.lists(st.sampled_from(can_hear), unique=True, max_size=3)) if can_hear else []
        is_collect = len(heard) == 1 and draw(st.booleans())
        steps[name] = Node(tuple(emits), heard[0] if is_collect else None)
        for event in heard:
            subscribers.setdefault(event, []).append(name)
    return steps, subscribers


def closure(steps, subscribers):
    """Pairs of a step and one that it leads to: itself, those that hear its events, and so on."""
    leads = {(name, name) for name in steps}
    leads |= {
        (name, heard)
        for name, node in steps.items()
        for event in node.emits
        for heard in subscribers.get(event, ())
    }
    for middle, start, end in product(steps, repeat=3):
        if (start, middle) in leads and (middle, end) in leads:
            leads.add((start, end))
    return leads


def upstream(steps, subscribers, event):
    """Every step from which a step that emits the event can be reached."""
    leads = closure(steps, subscribers)
    return {
        name
        for name in steps
        if any((name, other) in leads and event in node.emits for other, node in steps.items())
    }


def arming(steps, subscribers, event):
    """Those of them all of whose events that somebody hears lead to the collect."""
    before = upstream(steps, subscribers, event)
    return {
        name
        for name in before
        if all(
            heard == event or set(subscribers[heard]) & before
            for heard in steps[name].emits
            if subscribers.get(heard)
        )
    }


@given(graphs())
def test_the_tables_are_those_of_the_definition(graph):
    steps, subscribers = graph
    found = cover(steps, subscribers)
    collects = {name: node.collects for name, node in steps.items() if node.collects is not None}

    assert found.left.keys() == collects.keys()
    assert found.covers.keys() == found.arms.keys() == steps.keys()
    for collect, event in collects.items():
        before = upstream(steps, subscribers, event)
        assert {name for name in steps if collect in found.covers[name]} == before
        assert {name for name in steps if collect in found.arms[name]} == arming(steps, subscribers, event)
        assert found.left[collect] == 1 + len(before & collects.keys())
        assert collect not in before


@given(graphs())
def test_each_collect_comes_after_those_that_it_waits_for(graph):
    steps, subscribers = graph
    found = cover(steps, subscribers)
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
    steps, subscribers = graph
    shuffled = list(steps.items())
    chance.shuffle(shuffled)
    found, again = cover(steps, subscribers), cover(dict(shuffled), subscribers)

    assert (again.covers, again.arms) == (found.covers, found.arms)
    assert list(again.left.items()) == list(found.left.items())
