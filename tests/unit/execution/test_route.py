"""What follows from what a step emitted."""

from __future__ import annotations

from engine.events.record import Collect, Emission, Emitted, Routing, Target
from engine.execution.route import emissions, route
from tests.support.store import plan_from

PLAN = plan_from(
    {
        "a": {"emits": ["one", "two", "unheard"]},
        "b": {"subscribes": "one", "queue": "slow", "priority": 2},
        "c": {"subscribes": {"any": ["one", "two"]}},
    }
)

#: `a` lists items, `b` does each, `c` splits some; `first` collects what both emit, `last` what that emits.
COLLECTS = plan_from(
    {
        "a": {"emits": ["item"]},
        "b": {"subscribes": "item", "emits": ["done", "part"]},
        "c": {"subscribes": "part", "emits": ["done"]},
        "first": {"subscribes": {"collect": "done"}, "emits": ["sum"], "priority": 0, "queue": "slow"},
        "last": {"subscribes": {"collect": "sum"}},
    }
)

#: Two joins that share an event.
JOINS = plan_from(
    {
        "a": {"emits": ["l", "m", "r"]},
        "x": {"subscribes": {"all": ["m", "l"]}},
        "y": {"subscribes": {"all": ["r", "m"]}},
    }
)


def test_each_emission_has_the_path_of_its_cause_and_its_number_from_one():
    found = emissions("0.3.2", [Emitted(1, "two", b'{"x":1}'), Emitted(2, "unheard", b"2")])

    assert found == [
        Emission(1, "0.3.2.1", 43, "two", b'{"event":"two","path":"0.3.2.1","payload":{"x":1}}'),
        Emission(2, "0.3.2.2", 47, "unheard", b'{"event":"unheard","path":"0.3.2.2","payload":2}'),
    ]
    assert [it.data[it.offset - 1 : -1] for it in found] == [b'{"x":1}', b"2"]
    assert emissions("0", []) == []


def test_an_event_goes_to_all_its_subscribers_with_their_queues_and_priorities():
    assert route(PLAN, "a", ["one", "unheard"], served={"slow"}) == Routing(
        "",
        [],
        {
            "one": [Target("b", "slow", 1, 2, "", 1, "", ""), Target("c", "f.c", 2, 5, "", 0, "", "")],
            "unheard": [],
        },
    )


def test_nothing_emitted_nothing_follows():
    assert route(PLAN, "a", [], served=PLAN.queues) == Routing("", [], {})


def test_nothing_is_taken_along_before_what_the_same_settlement_makes_due_at_a_higher_priority():
    plan = plan_from(
        {
            "a": {"emits": ["one", "two"], "queue": "q"},
            "b": {"subscribes": "one", "queue": "q", "priority": 9},
            "c": {"subscribes": "two", "queue": "q", "priority": 0},
            "d": {"subscribes": {"any": ["one", "two"]}, "queue": "other"},
        }
    )
    both = route(plan, "a", ["one", "two"], served={"q", "other"}).targets
    assert [(it.step, it.takeable) for event in both.values() for it in event] == [
        ("b", 0),
        ("d", 1),
        ("c", 1),
        ("d", 1),
    ]
    [alone, _] = route(plan, "a", ["one"], served={"q", "other"}).targets["one"]
    assert alone.takeable == 1


def test_a_job_of_a_limited_queue_is_never_taken_along():
    plan = plan_from({"a": {"emits": ["one"]}, "b": {"subscribes": "one", "concurrency": 4}})
    (target,) = route(plan, "a", ["one"], served=plan.queues).targets["one"]

    assert (target.step, target.takeable) == ("b", 0)


def test_a_join_names_what_it_waits_for_and_is_never_taken_along():
    routing = route(JOINS, "a", ["m", "r"], served=JOINS.queues)

    assert routing.joins == "x:l,m y:m,r"
    assert routing.targets == {
        "m": [
            Target("x", "f.x", 1, 5, "l,m", 0, "", ""),
            Target("y", "f.y", 2, 5, "m,r", 0, "", ""),
        ],
        "r": [Target("y", "f.y", 2, 5, "m,r", 0, "", "")],
    }


def test_every_settlement_knows_the_joins_since_it_may_be_the_last():
    assert route(JOINS, "x", [], served=()).joins == "x:l,m y:m,r"


def test_the_collects_before_which_a_step_is_come_in_order_and_their_places_are_in_that_list():
    routing = route(COLLECTS, "a", ["item"], served=())

    assert routing.collects == [
        Collect("first", "slow", 3, 0, "done", "2", "2"),
        Collect("last", "f.last", 4, 5, "sum", "", ""),
    ]
    assert routing.targets["item"] == [Target("b", "f.b", 1, 5, "", 0, "1,2", "1,2")]


def test_a_step_after_a_collect_knows_only_the_later_ones():
    routing = route(COLLECTS, "first", ["sum"], served=())

    assert routing.collects == [Collect("last", "f.last", 4, 5, "sum", "", "")]
    assert routing.targets == {"sum": []}, "a collect is no target: it fires when nothing is left before it"
