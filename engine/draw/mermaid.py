"""A plan as the text of a Mermaid flowchart, which GitHub and others draw; pure.

Every name of the flow stands in quotes, as a label, with what could mean something to Mermaid
written as a number. What the chart itself calls a step is made of the step's name, behind a prefix
that keeps it from being a word of Mermaid's, such as `end`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.compile.graph import Graph
from engine.compile.plan import Plan, StepPlan

#: What stands around a step's label, by how the step is triggered: a box, a hexagon, a box with double sides.
_SHAPES: Final = {"any": ("[", "]"), "all": ("{{", "}}"), "collect": ("[[", "]]")}
_ENTRY: Final = ("([", "])")

_BREAK: Final = "<br/>"
_ARROW: Final = " -->"


#: Arrows and characters of a chart that Mermaid draws unless it is told otherwise; GitHub cannot be told.
_MOST_ARROWS: Final = 500
_MOST_CHARS: Final = 50_000


def to_mermaid(plan: Plan) -> str:
    """Write a plan as a flowchart, with an arrow for each two steps that events lead between.

    Returns:
        Lines that each end with a line break.
    """
    graph = Graph(plan.steps)
    steps = graph.in_order()
    ids = _ids(steps)
    lines = ["flowchart LR", f"    accTitle: Flow {_label(plan.flow)}"]
    lines += [f"    {ids[name]}{_shape(plan, plan.steps[name])}" for name in steps]
    for name in steps:
        for subscriber, events in graph.arrows(name).items():
            label = _BREAK.join(_label(event) for event in events)
            lines.append(f'    {ids[name]}{_ARROW}|"{label}"| {ids[subscriber]}')
    sinks = ",".join(ids[name] for name in plan.sinks)
    lines += ["    classDef sink stroke-width:3px", f"    class {sinks} sink"]
    return "".join(f"{line}\n" for line in lines)


def is_too_large(chart: str) -> bool:
    """Whether GitHub draws an error instead of this chart."""
    return chart.count(_ARROW) > _MOST_ARROWS or len(chart) > _MOST_CHARS


def _ids(names: list[str]) -> Mapping[str, str]:
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = one = "s_" + "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
        number = 1
        while one in taken:
            number += 1
            one = f"{plain}_{number}"
        ids[name] = one
        taken.add(one)
    return ids


def _shape(plan: Plan, step: StepPlan) -> str:
    opening, closing = _ENTRY if step.name == plan.entry else _SHAPES[step.trigger]
    badge = "" if step.trigger == "any" else f"{_BREAK}<small>{step.trigger}</small>"
    return f'{opening}"{_label(step.name)}{badge}"{closing}'


def _label(text: str) -> str:
    return "".join(
        char if _is_plain(char, text[:place], text[place + 1 :]) else f"#{ord(char)};"
        for place, char in enumerate(text)
    )


def _is_plain(char: str, before: str, after: str) -> bool:
    """Whether a character means nothing to Mermaid, to Markdown or to HTML."""
    if char == "_":
        # Markdown takes it for emphasis, except inside a word.
        return before[-1:].isalnum() and after[:1].isalnum()
    return char.isascii() and (char.isalnum() or char in "-. ")
