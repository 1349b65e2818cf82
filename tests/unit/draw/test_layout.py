from __future__ import annotations

from dataclasses import replace

from engine.draw.columns import columns_of
from engine.draw.crossings import count_crossings, uncross
from engine.draw.layout import layout_of
from tests.support.drawing import census, order
from tests.support.store import CHAIN, plan_from


def nodes(plan):
    return {node.step: node for node in layout_of(plan).nodes}


def edge(plan, *events):
    [found] = [one for one in layout_of(plan).edges if one.events == events]
    return found


def ends(wires):
    return [wire.step for wire in wires]


def test_a_step_stands_right_of_all_that_trigger_it():
    layers = {step: node.layer for step, node in nodes(order()).items()}

    assert layers == {
        "receive": 0,
        "fraud_check": 1,
        "reserve": 1,
        "review": 2,
        "charge": 3,
        "ship": 4,
        "invoice": 4,
        "notify": 5,
    }


def test_an_event_is_one_edge_with_all_who_emit_it_and_all_who_hear_it():
    cleared = edge(order(), "order.cleared")
    received = edge(order(), "order.received")

    assert (ends(cleared.sources), ends(cleared.targets)) == (["fraud_check", "review"], ["charge"])
    assert (ends(received.sources), ends(received.targets)) == (["receive"], ["fraud_check", "reserve"])


def test_events_between_the_same_steps_share_a_label():
    plan = plan_from(
        {
            "a": {"emits": ["y", "x", "z"]},
            "b": {"subscribes": {"any": ["x", "y"]}},
            "c": {"subscribes": "z"},
        }
    )

    assert [one.events for one in layout_of(plan).edges] == [("x", "y"), ("z",)]
    assert edge(plan, "x", "y").label.height == 2 * edge(plan, "z").label.height


def test_an_event_that_nobody_hears_is_not_drawn():
    events = {event for one in layout_of(order()).edges for event in one.events}

    assert "payment.done" in events
    assert "payment.logged" not in events


def test_entry_sinks_joins_and_collects_are_told_apart():
    found = nodes(census())

    assert [step for step, node in found.items() if node.is_entry] == ["list"]
    assert [step for step, node in found.items() if node.is_sink] == ["report"]
    assert {step: node.badge for step, node in found.items()} == {
        "analyse": "",
        "list": "",
        "report": "collect",
    }
    assert nodes(order())["charge"].badge == "all"


def test_what_is_unusual_about_a_step_stands_in_its_box():
    found = nodes(order())

    assert found["fraud_check"].detail == "queue ml"
    assert found["charge"].detail == "priority 2 · 4 at once"
    assert found["ship"].detail == ""


def test_a_step_alone_is_a_picture():
    picture = layout_of(plan_from({"only": {}}))
    [node] = picture.nodes

    assert (node.is_entry, node.is_sink, picture.edges) == (True, True, ())
    assert (node.box.x, node.box.right) == (28, picture.width - 28)


def test_a_chain_is_one_level_line():
    picture = layout_of(plan_from(CHAIN))

    assert len({node.box.middle for node in picture.nodes}) == 1
    assert {len(wire.points) for one in picture.edges for wire in (*one.sources, *one.targets)} == {2}


def test_the_longest_way_through_a_flow_is_level():
    found = nodes(order())

    assert len({found[step].box.middle for step in ("receive", "fraud_check", "review", "charge")}) == 1


def test_what_forks_evenly_forks_evenly_in_the_picture():
    found = nodes(order())

    above, below = sorted(found[step].box.middle for step in ("ship", "invoice"))
    assert (above + below) / 2 == found["charge"].box.middle == found["notify"].box.middle


def test_a_wide_fan_out_stands_in_one_column_in_the_order_of_names():
    names = [f"work{number:02}" for number in range(30)]
    work = {name: {"subscribes": "part", "emits": ["done"]} for name in names}
    found = nodes(
        plan_from({"split": {"emits": ["part"]}, **work, "gather": {"subscribes": {"collect": "done"}}})
    )

    assert len({found[name].box.x for name in names}) == 1
    assert sorted(names, key=lambda name: found[name].box.y) == names


def test_a_box_has_room_for_the_longest_name():
    short, long = "a", "W" * 64
    found = nodes(plan_from({short: {"emits": ["x"]}, long: {"subscribes": "x"}}))

    assert found[long].box.width > 64 * 13
    assert found[short].box.width < 100


def test_wires_cross_only_where_they_must():
    """`b.done` passes by; the walk in depth, with which the order begins, would lay it across `c`."""
    plan = plan_from(
        {
            "a": {"emits": ["a.one", "a.two"]},
            "b": {"subscribes": "a.one", "emits": ["done"]},
            "c": {"subscribes": "a.two", "emits": ["done"]},
            "d": {"subscribes": {"any": ["a.one", "done"]}},
        }
    )
    found = columns_of(plan)

    assert count_crossings(found.columns) == 1
    uncross(found.columns)
    assert count_crossings(found.columns) == 0


def test_what_a_picture_does_not_show_does_not_move_it():
    plan = order()
    moved = replace(plan, version="0" * 64, labels={"team": "shop"})

    assert layout_of(moved) == layout_of(plan)


def test_a_step_more_at_the_end_of_one_branch_leaves_the_order_of_the_others():
    branches = {f"b{number}": {"subscribes": "go", "emits": [f"done{number}"]} for number in range(4)}
    before = {"a": {"emits": ["go"]}, **branches}
    after = {**before, "z": {"subscribes": "done2"}}

    def from_the_top(steps):
        found = nodes(plan_from(steps))
        return sorted(branches, key=lambda name: found[name].box.y)

    assert from_the_top(after) == from_the_top(before)


def test_a_flow_with_more_long_wires_than_a_picture_has_room_for_is_drawn_all_the_same():
    """Each step hears the one before it, and the one a hundred steps before."""
    steps = {
        f"s{number:03}": {
            "emits": [f"e{number}"],
            **(
                {"subscribes": {"any": [f"e{other}" for other in (number - 1, number - 100) if other >= 0]}}
                if number
                else {}
            ),
        }
        for number in range(300)
    }
    picture = layout_of(plan_from(steps))
    boxes = {node.step: node.box for node in picture.nodes}

    for one in picture.edges:
        for wire in one.targets:
            assert wire.points[0] == (one.label.right, one.label.middle)
            assert wire.points[-1] == (boxes[wire.step].x, boxes[wire.step].middle)
