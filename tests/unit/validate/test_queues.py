"""Limits and the queues that they are kept on; the docstring of each test is the flow file."""

from __future__ import annotations

from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.declare.shape import check_shape
from engine.validate.queues import check_queues
from tests.unit.declare.telling import told

OWN = "= remove its `queue`: then it has one of its own"


def mistakes(*texts):
    flows = []
    for number, text in enumerate(texts):
        document = read_yaml(f"f{number}", text).document
        assert document is not None
        assert check_shape(document) == ()
        flows.append(parse(document))
    return told(check_queues(flows))


def test_a_limit_on_a_queue_of_its_own_is_fine(source):
    """
    flow: a
    defaults: {queue: slow}
    steps:
      start: {role: entry, handler: a:b, emits: [x]}
      one: {subscribes: x, handler: a:b}
      two: {subscribes: x, handler: a:b, queue: fast, concurrency: 5}
    """
    assert mistakes(source) == []
    assert mistakes("flow: b\nsteps: {one: {role: entry, handler: a:b, concurrency: 5}}\n") == []


def test_a_limit_on_a_shared_queue_is_told_with_both_places(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [x], queue: slow}
      one: {subscribes: x, handler: a:b, queue: slow, concurrency: 5}
    """
    assert mistakes(source) == [
        "FE411 4:64 step `one` has a limit, but shares its queue `slow` with step `start`"
        f" {OWN} @ 3:57 `start` waits in `slow` too"
    ]


def test_the_default_queue_is_shared_too(source):
    """
    flow: a
    defaults: {queue: slow}
    steps:
      start: {role: entry, handler: a:b, emits: [x], concurrency: 5}
      one: {subscribes: x, handler: a:b}
      two: {subscribes: x, handler: a:b, queue: slow}
    """
    assert mistakes(source) == [
        "FE411 4:63 step `start` has a limit, but shares its queue `slow` with step `one` and 1 more"
        " = give it a queue of its own, as in `queue: a_start` @ 5:3 `one` waits in `slow` too"
    ]


def test_two_limits_on_one_queue_are_told_once(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [x], queue: slow, concurrency: 1}
      one: {subscribes: x, handler: a:b, queue: slow, concurrency: 5}
    """
    assert mistakes(source) == [
        "FE411 3:76 step `start` has a limit, but shares its queue `slow` with step `one`"
        f" {OWN} @ 4:45 `one` waits in `slow` too"
    ]


def test_of_three_limits_on_one_queue_each_is_named(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [x], queue: slow, concurrency: 1}
      one: {subscribes: x, handler: a:b, queue: slow, concurrency: 5}
      two: {subscribes: x, handler: a:b, queue: slow, concurrency: 5}
    """
    assert [line.partition(" and 1")[0] for line in mistakes(source)] == [
        "FE411 3:76 step `start` has a limit, but shares its queue `slow` with step `one`",
        "FE411 5:64 step `two` has a limit, but shares its queue `slow` with step `start`",
    ]


def test_a_queue_that_two_flows_share_is_told_with_the_other_flow(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, queue: slow, concurrency: 5}
    """
    other = "flow: b\ndefaults: {queue: slow}\nsteps: {one: {role: entry, handler: a:b}}\n"
    assert mistakes(other, source) == [
        "FE411 3:64 step `start` has a limit, but shares its queue `slow` with step `one` of flow `b`"
        f" {OWN} @ 3:9 `one` waits in `slow` too"
    ]
