"""Pictures of any flow: nothing lies on anything else, wires end where they should, time goes right."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.compile.plan import Plan
from engine.draw.columns import columns_of
from engine.draw.crossings import count_crossings, uncross
from engine.draw.layout import Layout, layout_of
from engine.draw.mermaid import to_mermaid
from engine.draw.svg import to_svg
from engine.draw.wires import Box
from tests.support.store import plan_from


@st.composite
def flows(draw: st.DrawFn) -> Plan:
    """Flows of up to 16 steps, each of which hears up to three events of steps before it, in any way."""
    steps: dict[str, Any] = {}
    open_events: list[str] = []
    heard: set[str] = set()
    events: list[str] = []
    for number in range(draw(st.integers(1, 16))):
        step: dict[str, Any] = {}
        if events:
            words = draw(st.lists(st.sampled_from(events), min_size=1, max_size=3, unique=True))
            ways = ["any", "all", "collect"] if len(words) == 1 else ["any", "all"]
            way = draw(st.sampled_from(ways))
            step["subscribes"] = {way: words[0] if way == "collect" else words}
            heard.update(words)
        elif number:
            break
        # Whoever hears an event comes after all who emit it.
        open_events = [event for event in events if event not in heard]
        own = [f"e{number}.{letter}" for letter in "xyz"[: draw(st.integers(0, 3))]]
        shared = draw(st.lists(st.sampled_from(open_events), max_size=1)) if open_events else []
        if own or shared:
            step["emits"] = [*own, *shared]
        steps[draw(st.sampled_from(["s", "a_long_name_of_a_step_"])) + str(number)] = step
        events += own
    return plan_from(steps)


def boxes_of(layout: Layout):
    return [*(node.box for node in layout.nodes), *(edge.label for edge in layout.edges)]


def bottom(box: Box) -> int:
    return box.y + box.height


def wires_of(layout: Layout):
    return [wire for edge in layout.edges for wire in (*edge.sources, *edge.targets)]


@given(flows())
def test_no_two_boxes_overlap_and_all_are_inside(plan):
    layout = layout_of(plan)

    for box in boxes_of(layout):
        assert 0 <= box.x < box.right <= layout.width
        assert 0 <= box.y < bottom(box) <= layout.height
    for one, other in combinations(boxes_of(layout), 2):
        is_beside = one.right <= other.x or other.right <= one.x
        is_above = bottom(one) <= other.y or bottom(other) <= one.y
        assert is_beside or is_above, (one, other)


@given(flows())
def test_every_wire_runs_from_the_border_of_one_box_to_the_border_of_another(plan):
    layout = layout_of(plan)
    boxes = {node.step: node.box for node in layout.nodes}

    for edge in layout.edges:
        for wire in edge.sources:
            box = boxes[wire.step]
            assert wire.points[0] == (box.right, box.middle)
            assert wire.points[-1] == (edge.label.x, edge.label.middle)
        for wire in edge.targets:
            box = boxes[wire.step]
            assert wire.points[0] == (edge.label.right, edge.label.middle)
            assert wire.points[-1] == (box.x, box.middle)


@given(flows())
def test_wires_run_to_the_right_and_through_no_box(plan):
    layout = layout_of(plan)

    for wire in wires_of(layout):
        for start, end in pairwise(wire.points):
            assert start.x < end.x
            for box in boxes_of(layout):
                if start.y == end.y:
                    is_apart = not box.y < start.y < bottom(box) or end.x <= box.x or box.right <= start.x
                else:
                    # A curve climbs where no box is, at whatever height.
                    is_apart = end.x <= box.x or box.right <= start.x
                assert is_apart, (start, end, box)


@given(flows())
def test_the_edges_are_those_of_the_plan_and_layers_rise_along_them(plan):
    layout = layout_of(plan)
    layers = {node.step: node.layer for node in layout.nodes}
    drawn = {
        (source.step, event, target.step)
        for edge in layout.edges
        for source in edge.sources
        for event in edge.events
        for target in edge.targets
    }

    assert drawn == {
        (step.name, event, subscriber)
        for step in plan.steps.values()
        for event in step.emits
        for subscriber in plan.subscribers.get(event, ())
    }
    assert all(layers[source] < layers[target] for source, _, target in drawn)


@given(flows())
def test_a_flow_is_drawn_in_one_way(plan):
    again = Plan.from_dict(plan.to_dict(), plan.version)

    assert layout_of(again) == layout_of(plan)
    assert to_svg(again) == to_svg(plan)
    assert to_mermaid(again) == to_mermaid(plan)


@given(flows())
def test_looking_for_an_order_with_fewer_crossings_never_finds_one_with_more(plan):
    found = columns_of(plan)
    at_first = count_crossings(found.columns)
    items = [set(column) for column in found.columns]

    uncross(found.columns)

    assert count_crossings(found.columns) <= at_first
    assert [set(column) for column in found.columns] == items
