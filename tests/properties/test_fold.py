"""The fold, fed with anything: it moves by its tables, or raises and does not move at all."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CorruptEvent
from engine.events import state
from engine.events.fold import fold
from engine.events.types import ALL_TYPES, SETTLING
from tests.support.events import begun, error, event

step_ids = st.sampled_from(["a#1", "a#2", "b#1", "b#2", "c#1", None])
targets = st.lists(st.sampled_from(["a#2", "b#1", "b#2", "b#3", "c#1", "c", "c#x"]), max_size=3)
data = st.fixed_dictionaries(
    {},
    optional={
        "ends": st.booleans(),
        "to": targets,
        "op": st.sampled_from(["set", "incr", "delete", "of the future"]),
        "key": st.sampled_from("xy"),
        "value": st.integers() | st.text(max_size=2),
        "by": st.integers(),
        "error": st.just(error()),
        "result": st.integers(),
        "worker": st.just("w"),
    },
)
anything = st.builds(
    lambda kind, step_id, more: event(kind, step_id, **more),
    st.sampled_from(sorted(ALL_TYPES)) | st.just("of.the.future"),
    step_ids,
    data,
)


@given(st.lists(anything, max_size=30))
def test_an_event_moves_by_the_tables_or_raises_and_changes_nothing(events):
    run = fold([begun()])
    assert run is not None
    taken = [begun()]
    for one in events:
        before = copy.deepcopy(run)
        try:
            run.apply(one)
        except CorruptEvent:
            assert run == before
            continue
        taken.append(one)
        check_moves(before, run, one)
        assert run.created == {
            step: sum(1 for it in run.activations.values() if it.step == step) for step in run.created
        }
        assert run.open == 0 or not run.is_over

    assert fold(taken) == run, "what was refused might as well never have been there"


def check_moves(before, after, one):
    assert not before.is_over
    if after.status != before.status:
        assert state.RUN[before.status][one.type] == after.status
    for step_id, activation in before.activations.items():
        now = after.activations[step_id].state
        if step_id == one.step_id and one.type in state.ACTIVATION[activation.state]:
            assert now == state.ACTIVATION[activation.state][one.type]
        elif after.is_over and activation.is_open:
            assert now == state.CLOSED_BY_END[activation.state]
        else:
            assert now == activation.state
    if one.type in SETTLING and one.step_id is not None:
        assert not after.activations[one.step_id].is_open


@given(st.lists(anything, max_size=30), st.integers(0, 30))
def test_folding_on_is_folding_anew(events, cut):
    taken = [begun()]
    run = fold(taken)
    assert run is not None
    for one in events:
        try:
            run.apply(one)
        except CorruptEvent:
            continue
        taken.append(one)
    half = fold(taken[: cut + 1])
    assert half is not None
    for one in taken[cut + 1 :]:
        half.apply(one)
    assert half == run
