"""The shape of a flow file; the docstring of each test is the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.declare.read_toml import read_toml
from engine.declare.read_yaml import read_yaml
from engine.declare.shape import check_shape, flow_schema
from engine.declare.words import foreign, is_later

from .telling import told

NAME = "it may have letters, digits, `_` and `-`, and begins with a letter or `_`"
EVENT = (
    "it has parts with dots in between, each of letters, digits, `_` and `-`, beginning with a letter or `_`"
)
STEP_KEYS = "the keys here are `role`, `handler`, `subscribes`, `emits`, `queue`, `priority`, `concurrency`"
SUBSCRIBES = "write an event, `{any: [a, b]}`, `{all: [a, b]}` or `{collect: a}`"
PRIORITY = "write a number from 0, which is begun first, to 9; the default is 5"
CONCURRENCY = "write how many may run at once, as in `concurrency: 5`; without it there is no limit"
STEPS = "write `steps:`, and under it each step as `name: {handler: module:function}`"
LATER_WORDS = "is not supported yet by this version of flowengine"


def mistakes(text, *, read=read_yaml):
    reading = read("f", text)
    assert reading.document is not None, told(reading.diagnostics)
    return told(check_shape(reading.document))


def test_a_file_with_all_keys_has_the_right_shape(source):
    """
    flow: order
    description: What it does, and why.
    labels: {team: shop, "free text": "yes"}
    defaults: {queue: slow}
    steps:
      start: {role: entry, handler: shop:start, emits: [order.placed, order-paid.v2]}
      one: {role: step, handler: shop:one, subscribes: order.placed, queue: fast}
      two: {handler: shop:two, subscribes: [order.placed]}
      three: {handler: shop:three, subscribes: {any: [order.placed, order-paid.v2]}, emits: []}
      four: {handler: shop:four, subscribes: {all: [order.placed, order-paid.v2]}, priority: 0}
      five: {handler: shop:five, subscribes: {collect: order.placed}, priority: 9, concurrency: 5}
    """
    assert mistakes(source) == []


def test_unknown_keys_are_told_at_each_level_with_what_was_meant(source):
    """
    flow: a
    descripton: b
    defaults: {qeue: x}
    steps:
      s: {handler: a:b, emitts: [c], colour: red}
      t: {handler: a:b, subscribes: {any: [c], x: 1}}
    """
    assert mistakes(source) == [
        "FE101 2:1 unknown key `descripton` = did you mean `description`?",
        "FE101 3:12 unknown key `qeue` in `defaults` = did you mean `queue`?",
        "FE101 5:21 unknown key `emitts` in step `s` = did you mean `emits`?",
        f"FE101 5:34 unknown key `colour` in step `s` = {STEP_KEYS}",
        "FE101 6:44 unknown key `x` in `subscribes` of step `t` = the keys here are `any`, `all`, `collect`",
    ]


def test_a_misspelt_key_is_not_also_a_missing_one(source):
    """
    flo: a
    stesp: {}
    """
    assert mistakes(source) == [
        "FE101 1:1 unknown key `flo` = did you mean `flow`?",
        "FE101 2:1 unknown key `stesp` = did you mean `steps`?",
    ]


def test_a_key_without_a_space_after_its_colon_is_told(source):
    """
    flow: a
    steps:
      s: {handler:a:b}
    """
    assert mistakes(source) == [
        "FE101 3:7 unknown key `handler:a:b` in step `s` = put a space after the colon: `handler: a:b`"
    ]


def test_words_of_other_engines_are_translated(source):
    """
    name: a
    jobs:
      s: {uses: a:b}
    """
    assert mistakes(source) == [
        "FE102 1:1 unknown key `name` = write `flow: <name>`",
        f"FE102 2:1 unknown key `jobs` = {STEPS}",
    ]


def test_words_of_other_engines_are_translated_in_steps(source):
    """
    flow: a
    steps:
      s: {run: a:b}
      t: {handler: a:b, needs: [s]}
      u: {handler: a:b, name: u}
      v: {handler: a:b, retries: 3, if: x, rate_limit: 3/s}
      w: {handler: a:b, subscribes: {or: [a, b]}}
    """
    assert mistakes(source) == [
        "FE102 3:7 unknown key `run` in step `s` = write `handler: module:function`",
        "FE102 4:21 unknown key `needs` in step `t` = a step is triggered by an event: list it under `emits`"
        " of the step before, and here write `subscribes`",
        "FE102 5:21 unknown key `name` in step `u`"
        " = the step's name is the key that it stands under in `steps`",
        "FE102 6:21 unknown key `retries` in step `v`"
        f" = `retries` is called `retry` here, which {LATER_WORDS}",
        f"FE102 6:33 unknown key `if` in step `v` = `if` is called `when` here, which {LATER_WORDS}",
        "FE102 6:40 unknown key `rate_limit` in step `v`"
        f" = `rate_limit` is called `limiter` here, which {LATER_WORDS}",
        "FE102 7:34 unknown key `or` in `subscribes` of step `w`"
        " = write `any: [a, b]` to run the step for each of them",
    ]


def test_keys_of_the_language_that_come_later_are_told_so(source):
    """
    flow: a
    timeout: 5m
    defaults: {retry: 3}
    steps:
      s: {handler: a:b, limiter: 5, on_failur: x}
      t: {wait: 6h}
    """
    assert mistakes(source) == [
        f"FE101 2:1 unknown key `timeout` = `timeout` {LATER_WORDS}",
        f"FE101 3:12 unknown key `retry` in `defaults` = `retry` {LATER_WORDS}",
        f"FE101 5:21 unknown key `limiter` in step `s` = `limiter` {LATER_WORDS}",
        f"FE101 5:33 unknown key `on_failur` in step `s` = did you mean `on_failure`, which {LATER_WORDS}?",
        f"FE101 6:7 unknown key `wait` in step `t` = `wait` {LATER_WORDS}",
    ]


def test_a_queue_without_a_flow_is_not_supported_yet(source):
    """
    queue: thumbnails
    handler: a:b
    concurrency: 5
    """
    assert mistakes(source) == [
        f"FE101 1:1 a queue without a flow {LATER_WORDS}"
        " = write a flow of one step: `flow`, and `steps` with it"
    ]


def test_missing_keys_are_told_with_what_to_write(source):
    """
    description: x
    steps:
      s: {role: entry}
      t: {handler: a:b, subscribes: {}}
    """
    assert mistakes(source) == [
        "FE104 1:1 this file has no `flow` = write `flow: <name>`",
        "FE104 3:3 step `s` has no `handler` = write `handler: module:function`",
        f"FE108 4:33 `subscribes` is empty = {SUBSCRIBES}",
    ]


def test_wrong_types_are_told_with_the_right_one(source):
    """
    flow: 5
    description: true
    labels: {version: 3}
    steps:
      a: text
      b: [x]
      c: {handler: 5, emits: done, subscribes: 7}
      d: {handler: a:b, subscribes: {any: done}, emits: [{x: 1}], queue: true}
    """
    of_step = "write `handler: module:function` under the step's name"
    assert mistakes(source) == [
        "FE105 1:7 `flow` must be text, not a number",
        'FE105 2:14 `description` must be text, not true or false = write it in quotes: `"true"`',
        'FE105 3:19 `version` must be text, not a number = write it in quotes: `"3"`',
        f"FE105 5:6 step `a` must be a map, not text = {of_step}",
        f"FE105 6:6 step `b` must be a map, not a list = {of_step}",
        "FE105 7:16 `handler` must be text, not a number = write `handler: module:function`",
        "FE105 7:26 `emits` must be a list, not text = write `[done]`",
        "FE105 7:44 `subscribes` must be text, a list or a map, not a number",
        "FE105 8:39 `any` must be a list, not text = write `[done]`",
        "FE105 8:54 an event of `emits` must be text, not a map",
        'FE105 8:70 `queue` must be text, not true or false = write it in quotes: `"true"`',
    ]


def test_steps_as_a_list_are_told_how_to_be_a_map(source):
    """
    flow: a
    steps:
      - name: s
        handler: a:b
    """
    assert mistakes(source) == [
        "FE105 2:1 `steps` must be a map, not a list"
        " = write each step as `name: {handler: module:function}` under `steps`"
    ]


def test_empty_values_are_told(source):
    """
    flow: a
    description:
    steps:
      s:
      t: {handler: a:b, subscribes: [], emits: }
      u: {handler: a:b, subscribes: {any: []}}
    labels: {"": x}
    """
    assert mistakes(source) == [
        "FE108 2:1 `description` is empty = give it a value, or remove the key",
        "FE108 4:3 step `s` is empty = write `handler: module:function`",
        f"FE108 5:33 `subscribes` is empty = {SUBSCRIBES}",
        "FE108 5:37 `emits` is empty = give it a value, or remove the key",
        "FE108 6:39 `any` is empty = write `any: [a, b]`",
        "FE108 7:10 the name of a label is empty",
    ]


def test_a_flow_without_steps_is_told(source):
    """
    flow: a
    steps: {}
    """
    assert mistakes(source) == [f"FE108 2:8 `steps` is empty = {STEPS}"]


def test_a_role_is_one_of_two_words(source):
    """
    flow: a
    steps:
      s: {handler: a:b, role: entri}
      t: {handler: a:b, role: start}
    """
    assert mistakes(source) == [
        "FE106 3:27 `role` must be `entry` or `step`, not `entri` = did you mean `entry`?",
        "FE106 4:27 `role` must be `entry` or `step`, not `start`",
    ]


def test_names_are_told_the_rule_and_the_nearest_name(source):
    """
    flow: my flow
    defaults: {queue: a.b}
    steps:
      2nd: {handler: a:b, subscribes: data ready, emits: [ok.1, "a..b", "!"]}
      größe: {handler: a:b, queue: ""}
    """
    assert mistakes(source) == [
        f"FE107 1:7 `my flow` cannot be the name of a flow: {NAME} = write `my_flow`",
        f"FE107 2:19 `a.b` cannot be the name of a queue: {NAME} = write `a_b`",
        f"FE107 4:3 `2nd` cannot be the name of a step: {NAME} = write `_2nd`",
        f"FE107 4:35 `data ready` cannot be the name of an event: {EVENT} = write `data_ready`",
        f"FE107 4:55 `ok.1` cannot be the name of an event: {EVENT} = write `ok._1`",
        f"FE107 4:61 `a..b` cannot be the name of an event: {EVENT}",
        f"FE107 4:69 `!` cannot be the name of an event: {EVENT}",
        f"FE107 5:3 `größe` cannot be the name of a step: {NAME} = write `gr_e`",
        f"FE107 5:32 an empty text cannot be the name of a queue: {NAME}",
    ]


def test_names_have_a_longest_length():
    name, event = "n" * 65, "e" * 129
    assert mistakes(f"flow: {name}\nsteps: {{s: {{handler: a:b, subscribes: {event}}}}}\n") == [
        "FE109 1:7 this text has 65 characters, but the name of a flow has at most 64",
        "FE109 2:39 this text has 129 characters, but the name of an event has at most 128",
    ]
    assert mistakes(f"flow: {name[1:]}\nsteps: {{s: {{handler: a:b, subscribes: {event[1:]}}}}}\n") == []


def test_a_name_does_not_end_with_a_line():
    assert mistakes('flow: "a\\n"\nsteps: {s: {handler: a:b}}\n') == [
        f"FE107 1:7 `a` cannot be the name of a flow: {NAME} = write `a`"
    ]


def test_an_event_is_listed_once(source):
    """
    flow: a
    steps:
      s: {handler: a:b, emits: [x, y, x], subscribes: {any: [z, z]}}
    """
    assert mistakes(source) == [
        "FE110 3:35 `x` is listed twice in `emits` = remove one of them @ 3:29 listed here already",
        "FE110 3:61 `z` is listed twice in `any` = remove one of them @ 3:58 listed here already",
    ]


def test_a_bare_list_of_several_events_is_refused(source):
    """
    flow: a
    steps:
      s: {handler: a:b, subscribes: [x, y]}
    """
    assert mistakes(source) == [
        "FE412 3:33 `subscribes` lists 2 events without saying what they mean together"
        " = write `{any: [x, y]}` to run the step for each of them,"
        " or `{all: [x, y]}` to run it once when all have come"
    ]


def test_a_long_bare_list_is_not_repeated():
    events = [f"a.rather.long.name.of.an.event.n{number}" for number in range(3)]
    (found,) = mistakes(f"flow: a\nsteps:\n  s: {{handler: a:b, subscribes: [{', '.join(events)}]}}\n")
    assert "write `{any: […]}` to run the step for each of them, or `{all: […]}` to run" in found


def test_a_step_is_triggered_in_one_way(source):
    """
    flow: a
    steps:
      s: {handler: a:b, subscribes: {any: [x], all: [y, z]}}
      t: {handler: a:b, subscribes: {collect: x, any: [y], all: [z]}}
      u: {handler: a:b, subscribes: {any: [x], ech: [y]}}
    """
    help = "= keep one of them here, and give the others to steps of their own"
    assert mistakes(source) == [
        "FE112 3:44 `subscribes` has `any` and `all`, but one step is triggered in one way"
        f" {help} @ 3:34 the first one",
        "FE112 4:46 `subscribes` has `collect`, `any` and `all`, but one step is triggered in one way"
        f" {help} @ 4:34 the first one",
        "FE101 5:44 unknown key `ech` in `subscribes` of step `u`"
        " = the keys here are `any`, `all`, `collect`",
    ]


@pytest.mark.parametrize(
    ("word", "code", "help"),
    [
        ("each", "FE102", "write `any: [a, b]` to run the step for each of them"),
        ("every", "FE102", "write `any` for each of them, or `all` for once when all have come"),
        ("join", "FE102", "write `all: [a, b]` to run the step once when all have come"),
        ("and", "FE102", "write `all: [a, b]` to run the step once when all have come"),
        ("gather", "FE102", "write `collect: <event>` for the list of all that came"),
        ("collects", "FE101", "did you mean `collect`?"),
        ("colect", "FE101", "did you mean `collect`?"),
        ("alll", "FE101", "did you mean `all`?"),
        ("some", "FE101", "the keys here are `any`, `all`, `collect`"),
    ],
)
def test_another_word_in_a_subscription_is_told_with_the_right_one(word, code, help):
    text = f"flow: a\nsteps:\n  s: {{handler: a:b, subscribes: {{{word}: [x]}}}}\n"
    assert mistakes(text) == [f"{code} 3:34 unknown key `{word}` in `subscribes` of step `s` = {help}"]


@pytest.mark.parametrize(
    ("key", "subscribes"),
    [("all: [x]", "{all: [a, b]}"), ("any: [x]", "{any: [a, b]}"), ("collect: x", "{collect: <event>}")],
)
def test_a_word_of_a_subscription_in_the_step_is_told_where_it_belongs(key, subscribes):
    (found,) = mistakes(f"flow: a\nsteps:\n  s: {{handler: a:b, {key}}}\n")
    word = key.partition(":")[0]
    assert found == f"FE102 3:21 unknown key `{word}` in step `s` = write `subscribes: {subscribes}`"


def test_a_collect_takes_one_event(source):
    """
    flow: a
    steps:
      s: {handler: a:b, subscribes: {collect: [x]}}
      t: {handler: a:b, subscribes: {collect: [x, y]}}
      u: {handler: a:b, subscribes: {collect: []}}
      v: {handler: a:b, subscribes: {collect: {x: y}}}
      w: {handler: a:b, subscribes: {collect: }}
    """
    assert mistakes(source) == [
        "FE105 3:43 `collect` takes one event, not a list = write `collect: x`",
        "FE105 4:43 `collect` takes one event, not a list"
        " = collect each event in a step of its own, and let another step join these with `all`",
        "FE105 5:43 `collect` takes one event, not a list = write `collect: <event>`",
        "FE105 6:43 `collect` must be text, not a map = write `collect: <event>`",
        "FE108 7:34 `collect` is empty = write `collect: <event>`",
    ]


def test_a_join_takes_a_list_of_different_events(source):
    """
    flow: a
    steps:
      s: {handler: a:b, subscribes: {all: x}}
      t: {handler: a:b, subscribes: {all: [x, y, x]}}
      u: {handler: a:b, subscribes: {all: []}}
    """
    assert mistakes(source) == [
        "FE105 3:39 `all` must be a list, not text = write `[x]`",
        "FE110 4:46 `x` is listed twice in `all` = remove one of them @ 4:40 listed here already",
        "FE108 5:39 `all` is empty = write `all: [a, b]`",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10", f"FE111 3:31 `priority` must be at most 9, not 10 = {PRIORITY}"),
        ("-1", f"FE111 3:31 `priority` must be at least 0, not -1 = {PRIORITY}"),
        ("high", f"FE105 3:31 `priority` must be a whole number, not text = {PRIORITY}"),
        ('"3"', "FE105 3:31 `priority` must be a whole number, not text = write `3` without quotes"),
        ("2.5", f"FE105 3:31 `priority` must be a whole number, not `2.5` = {PRIORITY}"),
        ("3.0", "FE105 3:31 `priority` must be a whole number, not `3.0` = write `3`"),
        (".nan", f"FE105 3:31 `priority` must be a whole number, not `.nan` = {PRIORITY}"),
        ("true", f"FE105 3:31 `priority` must be a whole number, not true or false = {PRIORITY}"),
        ("[1]", f"FE105 3:31 `priority` must be a whole number, not a list = {PRIORITY}"),
        ("", f"FE108 3:21 `priority` is empty = {PRIORITY}"),
    ],
)
def test_a_priority_is_a_number_from_0_to_9(value, expected):
    assert mistakes(f"flow: a\nsteps:\n  s: {{handler: a:b, priority: {value}}}\n") == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"5"', "FE105 3:34 `concurrency` must be a whole number, not text = write `5` without quotes"),
        ("0", f"FE111 3:34 `concurrency` must be at least 1, not 0 = {CONCURRENCY}"),
        ("-4", f"FE111 3:34 `concurrency` must be at least 1, not -4 = {CONCURRENCY}"),
        ("2000000", f"FE111 3:34 `concurrency` must be at most 1,000,000, not 2,000,000 = {CONCURRENCY}"),
        (
            "{max: 5, key: event.user}",
            "FE105 3:34 `concurrency` must be a whole number, not a map"
            f" = write `concurrency: 5`: a map {LATER_WORDS}",
        ),
        (
            "{key: event.user}",
            "FE105 3:34 `concurrency` must be a whole number, not a map"
            f" = write a number: a map {LATER_WORDS}",
        ),
    ],
)
def test_a_concurrency_is_a_number_from_1(value, expected):
    assert mistakes(f"flow: a\nsteps:\n  s: {{handler: a:b, concurrency: {value}}}\n") == [expected]


def test_a_key_of_a_step_in_another_place_is_told_where_it_belongs(source):
    """
    flow: a
    concurrency: 5
    defaults: {priority: 3}
    steps:
      s: {handler: a:b}
    """
    assert mistakes(source) == [
        "FE101 2:1 unknown key `concurrency` = `concurrency` is a key of a step",
        "FE101 3:12 unknown key `priority` in `defaults` = `priority` is a key of a step",
    ]


def test_toml_has_the_same_mistakes_with_its_own_places():
    text = 'flow = 2024-01-01\n[steps.s]\nhandlr = "a:b"\n[steps."t u"]\nhandler = "a:b"\nrole = 1\n'
    assert mistakes(text, read=read_toml) == [
        "FE105 1:8 `flow` must be text, not a date or a time",
        "FE101 3:1 unknown key `handlr` in step `s` = did you mean `handler`?",
        f"FE107 4:8 `t u` cannot be the name of a step: {NAME} = write `t_u`",
        "FE105 6:8 `role` must be text, not a number",
    ]


@pytest.mark.parametrize("level", ["flow", "step", "defaults", "subscribes"])
def test_a_key_of_this_version_is_neither_later_nor_foreign(level):
    schema = flow_schema()
    keys = {
        "flow": schema["properties"],
        "step": schema["$defs"]["step"]["properties"],
        "defaults": schema["properties"]["defaults"]["properties"],
        "subscribes": schema["$defs"]["step"]["properties"]["subscribes"]["anyOf"][2]["properties"],
    }[level]
    assert keys
    assert [key for key in keys if is_later(key, level) or foreign(key, level)] == []


def test_the_schema_is_the_one_that_editors_are_given():
    link = Path(__file__).parents[3] / "schemas" / "flow.schema.json"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert json.loads(link.read_text()) == flow_schema()
