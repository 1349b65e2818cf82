"""Routing: paths name what caused the work, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.events.codec import decode_json, encode_json
from engine.execution.route import route
from tests.support.strategies import json_values, plans

paths = st.lists(st.integers(0, 30), min_size=1, max_size=5).map(lambda parts: ".".join(map(str, parts)))


@st.composite
def emissions(draw):
    """A plan, one of its steps, and what that step emits."""
    plan = draw(plans)
    step = draw(st.sampled_from(sorted(plan.steps)))
    events = plan.steps[step].emits
    if not events:
        return plan, []
    emit = st.tuples(st.integers(0, 2**42), st.sampled_from(events), json_values.map(encode_json))
    return plan, draw(st.lists(emit, max_size=8))


@given(emissions(), paths)
def test_the_offset_points_at_the_payload_and_the_data_is_json(drawn, path):
    plan, emits = drawn
    for (ts_ms, event, payload), it in zip(emits, route(plan, path, emits, served=()), strict=True):
        assert it.data[it.offset - 1 : -1] == payload
        assert decode_json(it.data) == {"event": event, "path": it.path, "payload": decode_json(payload)}
        assert list(decode_json(it.data)) == ["event", "path", "payload"], "the script appends after the last"
        assert (it.ts, it.event) == (ts_ms, event)


@given(emissions(), paths)
def test_no_two_activations_have_one_path(drawn, path):
    plan, emits = drawn
    made = [
        f"{it.path}.{target.place}" for it in route(plan, path, emits, served=()) for target in it.targets
    ]

    assert len(set(made)) == len(made)
    assert all(one.startswith(f"{path}.") for one in made)


@given(emissions(), paths, st.sets(st.sampled_from(["q0", "q1", "q2", "shared"])))
def test_paths_and_targets_depend_on_the_cause_alone(drawn, path, served):
    plan, emits = drawn
    found = route(plan, path, emits, served=served)

    assert route(plan, path, emits[:-1], served=served) == found[:-1], (
        "what comes later changes nothing before"
    )
    elsewhere = route(plan, path, [(ts_ms + 1, event, b"0") for ts_ms, event, _ in emits], served=())
    assert [it.path for it in elsewhere] == [it.path for it in found]
    for one, other in zip(found, elsewhere, strict=True):
        assert [target[:3] for target in one.targets] == [target[:3] for target in other.targets]


@given(emissions(), paths, st.sets(st.sampled_from(["q0", "q1", "q2", "shared"])))
def test_every_subscriber_gets_it_once_in_the_order_of_the_plan(drawn, path, served):
    plan, emits = drawn
    for it in route(plan, path, emits, served=served):
        assert [target.step for target in it.targets] == [
            name for name, step in plan.steps.items() if it.event in step.subscribes
        ]
        for target in it.targets:
            step = plan.steps[target.step]
            assert (target.queue, target.place) == (step.queue, step.index)
            assert target.takeable == (step.queue in served)
