"""What follows from what a step emitted."""

from __future__ import annotations

from engine.events.record import Emission, Target
from engine.execution.route import route
from tests.support.store import plan_from

PLAN = plan_from(
    {
        "a": {"emits": ["one", "two", "unheard"]},
        "b": {"subscribes": "one", "queue": "slow"},
        "c": {"subscribes": {"any": ["one", "two"]}},
    }
)


def test_each_emission_goes_to_all_its_subscribers():
    (emission,) = route(PLAN, "0", [(5, "one", b'{"x":1}')], served={"slow"})

    assert emission == Emission(
        5,
        "0.1",
        39,
        b'{"event":"one","path":"0.1","payload":{"x":1}}',
        "one",
        [Target("b", "slow", 1, True), Target("c", "f.c", 2, False)],
    )
    assert emission.data[emission.offset - 1 : -1] == b'{"x":1}'


def test_emissions_are_numbered_from_one_and_keep_their_order():
    emits = [(1, "two", b"1"), (2, "unheard", b"2"), (3, "two", b"3")]
    found = route(PLAN, "0.3.2", emits, served=PLAN.queues)

    assert [(it.ts, it.path, it.event) for it in found] == [
        (1, "0.3.2.1", "two"),
        (2, "0.3.2.2", "unheard"),
        (3, "0.3.2.3", "two"),
    ]
    assert [[target.step for target in it.targets] for it in found] == [["c"], [], ["c"]]
    assert all(target.takeable for it in found for target in it.targets)


def test_nothing_emitted_nothing_follows():
    assert route(PLAN, "0", [], served=PLAN.queues) == []
