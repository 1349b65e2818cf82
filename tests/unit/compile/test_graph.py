from __future__ import annotations

from engine.compile.graph import Graph
from tests.support.store import plan_from


def graph_of(steps):
    return Graph(plan_from(steps).steps)


#: take → charge and pack → ship, which is told of the payment twice.
ORDER = graph_of(
    {
        "take": {"emits": ["order.taken"]},
        "charge": {"subscribes": "order.taken", "emits": ["order.paid", "order.billed"]},
        "pack": {"subscribes": "order.taken", "emits": ["order.packed"]},
        "ship": {"subscribes": {"any": ["order.packed", "order.paid", "order.billed"]}, "emits": ["sent"]},
    }
)


def test_who_emits_and_who_hears_an_event():
    assert ORDER.emitters["order.paid"] == ["charge"]
    assert ORDER.emitters["sent"] == ["ship"]
    assert ORDER.subscribers["order.taken"] == ["charge", "pack"]
    assert "sent" not in ORDER.subscribers


def test_an_arrow_has_all_events_that_lead_the_same_way():
    assert ORDER.arrows("take") == {"charge": ["order.taken"], "pack": ["order.taken"]}
    assert ORDER.arrows("charge") == {"ship": ["order.billed", "order.paid"]}
    assert ORDER.arrows("ship") == {}


def test_no_step_comes_before_one_that_leads_to_it():
    assert ORDER.in_order() == ["take", "charge", "pack", "ship"]
    late = graph_of(
        {
            "a": {"emits": ["x", "y"]},
            "b": {"subscribes": {"any": ["x", "z"]}},
            "c": {"subscribes": "y", "emits": ["z"]},
        }
    )
    assert late.in_order() == ["a", "c", "b"]


def test_what_stands_before_an_event_is_all_that_leads_to_an_emitter():
    assert ORDER.before("order.packed") == {"pack", "take"}
    assert ORDER.before("order.packed", "order.paid") == {"charge", "pack", "take"}
    assert ORDER.before("order.taken") == {"take"}
    assert ORDER.before() == frozenset()
