from __future__ import annotations

import re
from dataclasses import replace

from engine.draw.mermaid import is_too_large, to_mermaid
from tests.support.drawing import census, order
from tests.support.store import plan_from

#: Every line that a chart may have: what Mermaid reads of it is our own, and names stand in quotes.
LINE = re.compile(
    r"""flowchart\ LR
    |\ {4}accTitle:\ Flow\ [\w.#;\ -]+
    |\ {4}s_\w+(\(\[|\{\{|\[\[|\[)"(?:[\w.#;\ -]|<br/><small>(all|collect)</small>)+"(\]\)|\}\}|\]\]|\])
    |\ {4}s_\w+\ -->\|"(?:[\w.#;\ -]|<br/>)+"\|\ s_\w+
    |\ {4}classDef\ sink\ stroke-width:3px
    |\ {4}class\ s_\w+(,s_\w+)*\ sink""",
    re.VERBOSE | re.ASCII,
)


def lines(plan):
    return to_mermaid(plan).splitlines()


def test_a_chart_reads_from_the_entry_on():
    assert to_mermaid(census()) == (
        "flowchart LR\n"
        "    accTitle: Flow census\n"
        '    s_list(["list"])\n'
        '    s_analyse["analyse"]\n'
        '    s_report[["report<br/><small>collect</small>"]]\n'
        '    s_list -->|"module.listed"| s_analyse\n'
        '    s_analyse -->|"module.analysed"| s_report\n'
        "    classDef sink stroke-width:3px\n"
        "    class s_report sink\n"
    )


def test_there_is_an_arrow_for_each_two_steps_that_events_lead_between():
    found = lines(order())

    assert '    s_receive -->|"order.received"| s_fraud_check' in found
    assert '    s_receive -->|"order.received"| s_reserve' in found
    assert '    s_charge{{"charge<br/><small>all</small>"}}' in found
    assert sum("-->" in line for line in found) == 10
    assert "payment.logged" not in to_mermaid(order()), "nobody hears it"


def test_events_between_the_same_two_steps_share_an_arrow():
    plan = plan_from({"a": {"emits": ["y", "x"]}, "b": {"subscribes": {"any": ["x", "y"]}}})

    assert '    s_a -->|"x<br/>y"| s_b' in lines(plan)


def test_words_of_mermaid_are_names_like_any_other():
    names = ["class", "click", "default", "graph", "o", "style", "subgraph", "x"]
    plan = plan_from({"end": {"emits": ["end"]}, **{name: {"subscribes": "end"} for name in names}})

    assert all(LINE.fullmatch(line) for line in lines(plan))
    assert '    s_end -->|"end"| s_subgraph' in lines(plan)


def test_names_that_differ_in_a_dash_are_two_steps():
    plan = plan_from({"a-b": {"emits": ["x"]}, "a_b": {"subscribes": "x"}, "a--b": {"subscribes": "x"}})
    ids = [line.split("[")[0].strip(" (") for line in lines(plan) if '["' in line]

    assert len(set(ids)) == 3
    assert all(LINE.fullmatch(line) for line in lines(plan))


def test_underscores_that_would_be_emphasis_are_written_as_numbers():
    plan = plan_from({"a_b": {"emits": ["__x__", "y._z"]}, "c": {"subscribes": {"any": ["__x__", "y._z"]}}})

    assert '    s_a_b(["a_b"])' in lines(plan)
    assert '    s_a_b -->|"#95;#95;x#95;#95;<br/>y.#95;z"| s_c' in lines(plan)


def test_no_text_can_be_more_than_a_label():
    hostile = 'x"]; click s_list "javascript:1"\n<b>`%%{init}%%'
    plan = census()
    steps = {
        **plan.steps,
        "analyse": replace(plan.steps["analyse"], name=hostile, emits=(hostile,)),
    }
    plan = replace(
        plan,
        flow=hostile,
        steps={(hostile if name == "analyse" else name): step for name, step in steps.items()},
        subscribers={"module.listed": (hostile,), hostile: ("report",)},
    )

    assert all(LINE.fullmatch(line) for line in lines(plan))


def test_a_step_alone_is_a_chart():
    assert lines(plan_from({"only": {}})) == [
        "flowchart LR",
        "    accTitle: Flow f",
        '    s_only(["only"])',
        "    classDef sink stroke-width:3px",
        "    class s_only sink",
    ]


def test_a_chart_of_more_arrows_than_github_draws_is_too_large():
    def fan(width):
        steps = {f"w{number}": {"subscribes": "x"} for number in range(width)}
        return to_mermaid(plan_from({"a": {"emits": ["x"]}, **steps}))

    assert not is_too_large(fan(500))
    assert is_too_large(fan(501))
