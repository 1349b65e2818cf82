"""Documents in our words."""

from __future__ import annotations

import pytest

from engine.declare.parse import declared_handlers, declared_name, parse
from engine.declare.read_yaml import read_yaml


def document(text):
    found = read_yaml("f", text).document
    assert found is not None
    return found


def texts(located):
    return [one.text for one in located]


def test_a_flow_is_said_in_our_words(source):
    """
    flow: order
    description: it is not part of the declaration
    labels: {team: shop}
    defaults: {queue: slow}
    steps:
      two: {handler: shop:two, subscribes: {any: [c, b]}, queue: fast}
      one: {role: entry, handler: shop:one, emits: [c, b]}
      three: {role: step, handler: shop:three, subscribes: [b]}
      four: {handler: shop:four, subscribes: c}
    """
    flow = parse(document(source))
    two, one, three, four = flow.steps

    assert (flow.name.text, dict(flow.labels), flow.steps_span.line) == ("order", {"team": "shop"}, 5)
    assert flow.default_queue is not None
    assert flow.default_queue.text == "slow"
    assert texts(step.name for step in flow.steps) == ["two", "one", "three", "four"]
    assert [step.is_entry for step in flow.steps] == [False, True, False, False]
    assert texts(two.subscribes) == ["c", "b"]
    assert texts(one.emits) == ["c", "b"]
    assert texts(three.subscribes) == ["b"]
    assert texts(four.subscribes) == ["c"]
    assert two.queue is not None
    assert (two.queue.text, one.queue) == ("fast", None)
    assert (one.role_span.line, one.role_span.column) == (7, 15)
    assert four.role_span == four.name.span
    assert (four.handler.text, four.handler.span.column) == ("shop:four", 19)


def test_a_step_says_how_its_events_trigger_it(source):
    """
    flow: order
    steps:
      one: {handler: shop:one, subscribes: {all: [c, b]}}
      two: {handler: shop:two, subscribes: {collect: c}, priority: 0, concurrency: 5}
      three: {handler: shop:three, subscribes: {any: [c]}}
    """
    one, two, three = parse(document(source)).steps

    assert (one.trigger, texts(one.subscribes)) == ("all", ["c", "b"])
    assert (two.trigger, texts(two.subscribes)) == ("collect", ["c"])
    assert (three.trigger, texts(three.subscribes)) == ("any", ["c"])
    assert two.priority == 0
    assert two.concurrency is not None
    assert (two.concurrency.value, two.concurrency.span.line, two.concurrency.span.column) == (5, 4, 80)


def test_what_is_left_out_is_empty():
    flow = parse(document("flow: a\nsteps: {s: {handler: a:b}}\n"))
    (step,) = flow.steps
    assert dict(flow.labels) == {}
    assert flow.default_queue is None
    assert step.subscribes == step.emits == ()
    assert (step.trigger, step.priority, step.concurrency) == ("any", None, None)


def test_a_document_of_the_wrong_shape_is_never_parsed():
    with pytest.raises(TypeError):
        parse(document("flow: a\nsteps: {s: {}}\n"))


@pytest.mark.parametrize(
    ("text", "name", "handlers"),
    [
        (
            "flow: a\nsteps: {s: {handler: x:y, no: 1}, t: {handler: 5}, u: 3, v: {handler: z}}",
            "a",
            ["x:y", "z"],
        ),
        ("flow: 3\nsteps: [1]", None, []),
        ("a: b", None, []),
    ],
)
def test_name_and_handlers_are_found_in_a_document_of_any_shape(text, name, handlers):
    found = declared_name(document(text))
    assert (found.text if found else None) == name
    assert texts(declared_handlers(document(text))) == handlers
