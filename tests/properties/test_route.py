"""Routing: paths name what caused the work, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.compile.plan import Plan
from engine.events.codec import decode_json, encode_json
from engine.events.record import Collect, Emitted, Target
from engine.execution.route import emissions, route
from tests.support.strategies import json_values, plans

paths = st.lists(st.integers(0, 30), min_size=1, max_size=5).map(lambda parts: ".".join(map(str, parts)))

emitted = st.lists(
    st.builds(Emitted, st.integers(0, 2**42), st.sampled_from(["a", "b.c"]), json_values.map(encode_json)),
    max_size=8,
)

queues = st.sets(st.sampled_from(["q0", "q1", "q2", "shared"]))


@st.composite
def plans_and_steps(draw) -> tuple[Plan, str]:
    """A plan, and one of its steps."""
    plan = draw(plans)
    return plan, draw(st.sampled_from(sorted(plan.steps)))


@given(emitted, paths)
def test_the_offset_points_at_the_payload_and_the_data_is_json(emits, path):
    for one, it in zip(emits, emissions(path, emits), strict=True):
        assert it.data[it.offset - 1 : -1] == one.payload
        assert decode_json(it.data) == {
            "event": one.event,
            "path": it.path,
            "payload": decode_json(one.payload),
        }
        assert list(decode_json(it.data)) == ["event", "path", "payload"], "the script appends after the last"
        assert (it.ts, it.event) == (one.ts, one.event)


@given(emitted, paths)
def test_paths_are_numbered_by_what_was_emitted_before(emits, path):
    found = [it.path for it in emissions(path, emits)]

    assert found == [f"{path}.{number}" for number in range(1, len(emits) + 1)]
    assert [it.path for it in emissions(path, emits[:-1])] == found[:-1]


@given(plans_and_steps(), queues)
def test_every_subscriber_is_a_target_once_in_the_order_of_the_plan(drawn, served):
    plan, step = drawn
    events = plan.steps[step].emits
    routing = route(plan, step, events, served=served)

    assert list(routing.targets) == list(events)
    for event, targets in routing.targets.items():
        heard = [
            name for name, it in plan.steps.items() if event in it.subscribes and it.trigger != "collect"
        ]
        assert [target.step for target in targets] == heard
        for target in targets:
            it = plan.steps[target.step]
            assert (target.queue, target.place, target.priority) == (it.queue, it.index, it.priority)
            assert target.join == (",".join(it.subscribes) if it.trigger == "all" else "")
            due = {
                *plan.steps[step].covers,
                *(name for one in events for name in plan.subscribers.get(one, ())),
            }
            is_first = all(
                plan.steps[name].priority >= it.priority for name in due if plan.steps[name].queue == it.queue
            )
            takeable = it.queue in served and it.trigger == "any" and it.concurrency is None and is_first
            assert target.takeable == takeable


@given(plans_and_steps())
def test_collects_are_told_by_their_places_and_each_after_those_before_it(drawn):
    plan, step = drawn
    routing = route(plan, step, plan.steps[step].emits, served=())
    names = [collect.step for collect in routing.collects]

    assert tuple(names) == plan.steps[step].covers
    told: list[Collect | Target] = [
        *routing.collects,
        *(target for targets in routing.targets.values() for target in targets),
    ]
    for it in told:
        covers = [names[int(place) - 1] for place in it.covers.split(",") if place]
        arms = [names[int(place) - 1] for place in it.arms.split(",") if place]
        assert (tuple(covers), tuple(arms)) == (plan.steps[it.step].covers, plan.steps[it.step].arms)
    for collect in routing.collects:
        assert all(int(place) > names.index(collect.step) + 1 for place in collect.covers.split(",") if place)
