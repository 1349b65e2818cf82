"""The rules of the graph; the docstring of each test is the flow file."""

from __future__ import annotations

import pytest

from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.declare.shape import check_shape
from engine.validate.graph import RULES, check_graph
from tests.unit.declare.telling import told

EMIT = "= let one of them end the chain instead of emitting its event"
EMIT_ALONE = "= let it end the chain instead of emitting its event"


def mistakes(text):
    document = read_yaml("f", text).document
    assert document is not None
    assert check_shape(document) == ()
    return told(check_graph(parse(document)))


def test_a_sound_flow_has_no_mistakes(source):
    """
    flow: order
    steps:
      start: {role: entry, handler: a:b, emits: [placed, paid]}
      pack: {subscribes: placed, handler: a:b, emits: [packed]}
      bill: {subscribes: paid, handler: a:b, emits: [billed]}
      ship: {subscribes: {any: [packed, billed]}, handler: a:b, emits: [shipped, lost]}
    """
    assert mistakes(source) == []


def test_a_flow_without_entry_is_told_the_likely_one(source):
    """
    flow: hello
    steps:
      greet: {subscribes: data.ready, handler: a:b}
      start: {handler: a:b, emits: [data.ready]}
    """
    assert mistakes(source) == [
        "FE401 2:1 flow `hello` has no entry: no step has `role: entry`"
        " = add `role: entry` to step `start` @ 4:3 `start` subscribes to nothing"
    ]


def test_a_flow_without_entry_may_have_no_likely_one(source):
    """
    flow: hello
    steps:
      one: {subscribes: b, handler: a:b, emits: [a]}
    """
    assert mistakes(source) == [
        "FE401 2:1 flow `hello` has no entry: no step has `role: entry`"
        " = add `role: entry` to the step that a run begins with, and remove its `subscribes`",
        "FE403 3:21 step `one` subscribes to `b`, which no step emits"
        " = add `b` to the `emits` of the step that announces it",
    ]


def test_each_entry_after_the_first_is_told(source):
    """
    flow: hello
    steps:
      one: {role: entry, handler: a:b}
      two: {role: entry, handler: a:b}
      three: {handler: a:b, role: entry}
    """
    help = "= remove `role: entry` here, and let `{}` subscribe to an event of another step"
    first = "@ 3:15 `one` is the entry already"
    assert mistakes(source) == [
        f"FE402 4:15 step `two` is a second entry of flow `hello` {help.format('two')} {first}",
        f"FE402 5:31 step `three` is a second entry of flow `hello` {help.format('three')} {first}",
    ]


def test_the_entry_subscribes_to_nothing(source):
    """
    flow: hello
    steps:
      start: {role: entry, subscribes: again, handler: a:b, emits: [go]}
      end: {subscribes: go, handler: a:b, emits: [again]}
    """
    assert mistakes(source) == [
        "FE404 3:36 step `start` is the entry, so it cannot subscribe to an event"
        " = remove `subscribes`, or `role: entry`"
    ]


def test_a_step_that_nothing_triggers_is_told(source):
    """
    flow: hello
    steps:
      start: {role: entry, handler: a:b}
      lost: {handler: a:b, emits: [found]}
      after: {subscribes: found, handler: a:b}
    """
    assert mistakes(source) == [
        "FE405 4:3 nothing triggers step `lost`: it has no `subscribes` = add `subscribes: <event>`"
    ]


def test_an_event_that_nobody_emits_is_told_with_the_nearest_one(source):
    """
    flow: order
    steps:
      receive:
        role: entry
        handler: a:b
        emits: [order.recieved]
      charge:
        handler: a:b
        subscribes: order.received
    """
    assert mistakes(source) == [
        "FE403 9:17 step `charge` subscribes to `order.received`, which no step emits"
        " = did you mean `order.recieved`? @ 6:13 `order.recieved` is emitted here"
    ]


def test_a_misspelt_event_is_neither_unheard_nor_makes_the_rest_unreachable(source):
    """
    flow: order
    steps:
      start: {role: entry, handler: a:b, emits: [placed, paid]}
      one: {subscribes: {any: [placd, paid]}, handler: a:b}
      two: {subscribes: nothing.like.it, handler: a:b, emits: [next]}
      three: {subscribes: next, handler: a:b}
    """
    assert mistakes(source) == [
        "FE403 4:28 step `one` subscribes to `placd`, which no step emits"
        " = did you mean `placed`? @ 3:46 `placed` is emitted here",
        "FE403 5:21 step `two` subscribes to `nothing.like.it`, which no step emits"
        " = add `nothing.like.it` to the `emits` of the step that announces it",
    ]


def test_an_event_that_nobody_hears_is_a_warning_unless_its_step_is_a_sink(source):
    """
    flow: order
    steps:
      start: {role: entry, handler: a:b, emits: [placed, audited]}
      end: {subscribes: placed, handler: a:b, emits: [done]}
    """
    document = read_yaml("f", source).document
    assert document is not None
    (found,) = check_graph(parse(document))
    assert told([found]) == ["FE406 3:54 step `start` emits `audited`, to which no step subscribes"]
    assert not found.is_error


@pytest.mark.parametrize("event", ["flow.done", "step.completed", "registry.updated", "log", "emit", "state"])
def test_the_names_of_the_engine_s_own_events_are_refused(event):
    text = f"flow: a\nsteps: {{s: {{role: entry, handler: a:b, emits: [{event}]}}}}\n"
    (found,) = mistakes(text)
    assert found.startswith(f"FE407 2:48 `{event}` cannot be the name of an event: ")
    assert found.endswith(" is the engine's own = give the event another name")


@pytest.mark.parametrize("event", ["flow", "flows.done", "log.written", "my.flow", "stated"])
def test_names_that_only_look_like_the_engine_s_are_fine(event):
    assert mistakes(f"flow: a\nsteps: {{s: {{role: entry, handler: a:b, emits: [{event}]}}}}\n") == []


def test_to_subscribe_to_an_event_of_the_engine_is_one_mistake(source):
    """
    flow: a
    steps:
      s: {role: entry, handler: a:b}
      t: {subscribes: flow.failed, handler: a:b}
    """
    assert mistakes(source) == [
        "FE407 4:19 `flow.failed` cannot be the name of an event: all of `flow.…` is the engine's own"
        " = give the event another name"
    ]


def test_an_island_is_told_once_with_its_steps(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [go]}
      end: {subscribes: go, handler: a:b}
      one: {subscribes: b, handler: a:b, emits: [a]}
      two: {subscribes: a, handler: a:b, emits: [b, c]}
      three: {subscribes: c, handler: a:b}
      alone: {subscribes: d, handler: a:b, emits: [d]}
    """
    help = "= let one of them subscribe to an event that follows from `start`"
    assert mistakes(source) == [
        "FE408 5:3 steps `one`, `two` and `three` can never run:"
        f" nothing leads from the entry `start` to `one → two → one` {help}",
        "FE408 8:3 step `alone` can never run:"
        f" nothing leads from the entry `start` to `alone → alone` {help}",
    ]


def test_a_cycle_is_spelled(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [go]}
      one: {subscribes: {any: [go, back]}, handler: a:b, emits: [on]}
      two: {subscribes: on, handler: a:b, emits: [back]}
    """
    assert mistakes(source) == [
        f"FE409 4:32 these steps trigger each other for ever: `one → two → one` {EMIT}",
    ]


def test_a_step_that_triggers_itself_is_a_cycle(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [go]}
      one: {subscribes: {any: [go, again]}, handler: a:b, emits: [again]}
    """
    assert mistakes(source) == [
        f"FE409 4:32 this step triggers itself for ever: `one → one` {EMIT_ALONE}",
    ]


def test_a_cycle_without_an_entry_is_told_too(source):
    """
    flow: a
    steps:
      one: {subscribes: x, handler: a:b, emits: [x]}
    """
    assert [line.partition(" ")[0] for line in mistakes(source)] == ["FE401", "FE409"]


def test_a_step_that_collects_what_follows_from_it_is_a_cycle(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [item]}
      work: {subscribes: {any: [item, again]}, handler: a:b, emits: [done]}
      report: {subscribes: {collect: done}, handler: a:b, emits: [again]}
    """
    assert mistakes(source) == [
        "FE409 5:34 step `report` collects `done`, which it sets off itself:"
        f" `report → work → report` {EMIT}",
    ]


def test_a_step_that_joins_what_follows_from_it_is_a_cycle(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [go]}
      one: {subscribes: {all: [go, back]}, handler: a:b, emits: [on]}
      two: {subscribes: on, handler: a:b, emits: [back]}
      own: {subscribes: {all: [go, mine]}, handler: a:b, emits: [mine]}
    """
    assert mistakes(source) == [
        f"FE409 4:32 step `one` waits for `back`, which it sets off itself: `one → two → one` {EMIT}",
        f"FE409 6:32 step `own` waits for `mine`, which it sets off itself: `own → own` {EMIT_ALONE}",
    ]


def test_joins_and_collects_that_hold_together_have_no_mistakes(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [item, checked]}
      work: {subscribes: item, handler: a:b, emits: [done]}
      report: {subscribes: {collect: done}, handler: a:b, emits: [reported]}
      count: {subscribes: {collect: done}, handler: a:b}
      close: {subscribes: {all: [reported, checked]}, handler: a:b}
    """
    assert mistakes(source) == []


def test_one_event_of_a_join_that_nobody_emits_is_told(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [paid, packed]}
      close: {subscribes: {all: [paid, pakced, signed]}, handler: a:b}
    """
    assert mistakes(source) == [
        "FE403 4:36 step `close` subscribes to `pakced`, which no step emits"
        " = did you mean `packed`? @ 3:52 `packed` is emitted here",
        "FE403 4:44 step `close` subscribes to `signed`, which no step emits"
        " = add `signed` to the `emits` of the step that announces it",
    ]


def test_a_join_that_an_island_feeds_is_no_mistake_of_its_own(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [go]}
      one: {subscribes: b, handler: a:b, emits: [a]}
      two: {subscribes: a, handler: a:b, emits: [b, c]}
      close: {subscribes: {all: [go, c]}, handler: a:b}
    """
    assert [line.partition(" can")[0] for line in mistakes(source)] == ["FE408 4:3 steps `one` and `two`"]


def test_a_tangle_is_told_once_for_each_step_at_most():
    names = [f"s{number}" for number in range(60)]
    lines = [f"  {name}: {{subscribes: x, handler: a:b, emits: [x]}}" for name in names]
    text = "\n".join(["flow: a", "steps:", "  e: {role: entry, handler: a:b, emits: [x]}", *lines])
    found = mistakes(text)
    assert 1 <= len(found) <= len(names)
    assert {line.partition(" ")[0] for line in found} == {"FE409"}


def test_a_ring_of_many_steps_is_spelled_in_short():
    lines = [f"  s{n}: {{subscribes: e{n}, handler: a:b, emits: [e{(n + 1) % 1000}]}}" for n in range(1000)]
    text = "\n".join(["flow: a", "steps:", "  e: {role: entry, handler: a:b, emits: [e0]}", *lines])
    (found,) = mistakes(text)
    assert "`s0 → s1 → s2 → s3 → s4 → s5 → … → s997 → s998 → s999 → s0`" in found


def test_all_mistakes_of_a_flow_are_told_at_once(source):
    """
    flow: a
    steps:
      start: {role: entry, handler: a:b, emits: [go, log]}
      second: {role: entry, handler: a:b}
      lost: {handler: a:b}
      one: {subscribes: gone, handler: a:b}
      two: {subscribes: go, handler: a:b}
    """
    assert [line.partition(" ")[0] for line in mistakes(source)] == ["FE402", "FE405", "FE403", "FE407"]


def test_each_rule_says_what_it_is_about():
    assert all(rule.__doc__ for rule in RULES)
