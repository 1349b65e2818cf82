"""A layout as SVG: one file, in light or dark as the reader's screen is; pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from engine.compile.plan import Plan

from .layout import (
    BADGE_PX,
    DETAIL_PX,
    EVENT_PX,
    LINE_HEIGHT,
    NAME_PX,
    PADDING,
    Edge,
    Layout,
    Node,
    badge_width,
    layout_of,
)
from .wires import ARROW, Box, Point

_SANS: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_MONOSPACE: Final = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'

# Colours are plain rules and not variables, which some viewers do not know.
_STYLE: Final = f"""\
.flowengine text {{ font-family: {_SANS}; }}
.flowengine .name {{ font-size: {NAME_PX}px; font-weight: 600; fill: #1f2328; }}
.flowengine .detail {{ font-size: {DETAIL_PX}px; fill: #59636e; }}
.flowengine .event {{ font-size: {EVENT_PX}px; fill: #59636e; text-anchor: middle; }}
.flowengine text.event {{ font-family: {_MONOSPACE}; }}
.flowengine .badge {{ font-size: {BADGE_PX}px; font-weight: 600; fill: #0550ae; text-anchor: middle; }}
.flowengine .ground {{ fill: #f6f8fa; }}
.flowengine .box {{ fill: #ffffff; stroke: #c5cdd6; }}
.flowengine .pill {{ fill: #ddf4ff; }}
.flowengine .wire {{ fill: none; stroke: #848d97; stroke-width: 1.5; }}
.flowengine .arrow {{ fill: #848d97; }}
.flowengine .entry {{ fill: #0969da; stroke: #f6f8fa; stroke-width: 2; }}
.flowengine .sink {{ fill: #f6f8fa; stroke: #0969da; stroke-width: 3; }}
@media (prefers-color-scheme: dark) {{
  .flowengine .name {{ fill: #e6edf3; }}
  .flowengine .detail, .flowengine .event {{ fill: #9198a1; }}
  .flowengine .badge {{ fill: #79c0ff; }}
  .flowengine .ground {{ fill: #161b22; }}
  .flowengine .box {{ fill: #0d1117; stroke: #3d444d; }}
  .flowengine .pill {{ fill: #12263f; }}
  .flowengine .wire {{ stroke: #6e7681; }}
  .flowengine .arrow {{ fill: #6e7681; }}
  .flowengine .entry {{ fill: #4493f8; stroke: #161b22; }}
  .flowengine .sink {{ fill: #161b22; stroke: #4493f8; }}
}}"""

#: Everything is moved by half a pixel: then a line of one pixel covers one, and not two by half.
_HALF: Final = -0.5

#: Half the width of an arrow's head.
_ARROW_HALF: Final = 4


def to_svg(plan: Plan) -> str:
    """Draw a plan.

    Returns:
        A whole file that ends with a line break; it loads nothing and runs nothing.
    """
    layout = layout_of(plan)
    size = f'width="{layout.width}" height="{layout.height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="flowengine" role="img" {size} '
            f'viewBox="{_HALF} {_HALF} {layout.width} {layout.height}">',
            f"<title>{_escape(f'Flow {plan.flow}')}</title>",
            f"<desc>{_escape(_in_words(layout))}</desc>",
            f"<style>\n{_STYLE}\n</style>",
            f'<rect class="ground" x="{_HALF}" y="{_HALF}" {size} rx="10"/>',
            *_wires(layout),
            *(line for edge in layout.edges for line in _label(edge)),
            *(line for node in layout.nodes for line in _node(plan, node)),
            "</svg>\n",
        ]
    )


def _in_words(layout: Layout) -> str:
    """What the picture shows, for those who cannot see it."""
    sentences = [f"Begins with {node.step}." for node in layout.nodes if node.is_entry]
    for edge in layout.edges:
        emitters = _listed([wire.step for wire in edge.sources])
        subscribers = _listed([wire.step for wire in edge.targets])
        sentences.append(f"{_listed(edge.events)} from {emitters} to {subscribers}.")
    sinks = [node.step for node in layout.nodes if node.is_sink]
    return " ".join([*sentences, f"Ends with {_listed(sinks)}."])


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _wires(layout: Layout) -> Iterator[str]:
    """All in one path: where wires run together, several strokes would look bolder than one."""
    wires = [wire for edge in layout.edges for wire in (*edge.sources, *edge.targets)]
    lines = dict.fromkeys(pair for wire in wires for pair in pairwise(wire.points))
    yield f'<path class="wire" d="{"".join(_line(*pair) for pair in lines)}"/>'
    ends = dict.fromkeys(wire.points[-1] for edge in layout.edges for wire in edge.targets)
    heads = "".join(f"M{x} {y}l{-ARROW} {-_ARROW_HALF}v{2 * _ARROW_HALF}z" for x, y in ends)
    yield f'<path class="arrow" d="{heads}"/>'


def _line(start: Point, end: Point) -> str:
    if start.y == end.y:
        return f"M{start.x} {start.y}H{end.x}"
    middle = (start.x + end.x) // 2
    return f"M{start.x} {start.y}C{middle} {start.y} {middle} {end.y} {end.x} {end.y}"


def _label(edge: Edge) -> Iterator[str]:
    box = edge.label
    yield _rect("ground", box)
    for number, event in enumerate(edge.events):
        y = box.y + number * LINE_HEIGHT + 12
        yield f'<text class="event" x="{box.x + box.width / 2:g}" y="{y}">{_escape(event)}</text>'


def _node(plan: Plan, node: Node) -> Iterator[str]:
    box = node.box
    step = plan.steps[node.step]
    yield f"<g><title>{_escape(f'{node.step}: {step.handler}, queue {step.queue}')}</title>"
    if node.badge == "collect":
        yield _rect("box", Box(box.x + 5, box.y + 5, box.width, box.height), radius=6)
    yield _rect("box", box, radius=6)
    baseline = box.y + (19 if node.detail else 27)
    yield f'<text class="name" x="{box.x + PADDING}" y="{baseline}">{_escape(node.step)}</text>'
    if node.detail:
        yield f'<text class="detail" x="{box.x + PADDING}" y="{box.y + 34}">{_escape(node.detail)}</text>'
    if node.badge:
        width = badge_width(node.badge)
        pill = Box(box.right - PADDING - width, baseline - 12, width, 16)
        yield _rect("pill", pill, radius=8)
        yield f'<text class="badge" x="{pill.x + width / 2:g}" y="{baseline - 0.5:g}">{node.badge}</text>'
    if node.is_entry:
        yield f'<circle class="entry" cx="{box.x}" cy="{box.middle}" r="6"/>'
    if node.is_sink:
        yield f'<circle class="sink" cx="{box.right}" cy="{box.middle}" r="5"/>'
    yield "</g>"


def _rect(name: str, box: Box, *, radius: float = 0) -> str:
    corner = f' rx="{radius:g}"' if radius else ""
    return f'<rect class="{name}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"{corner}/>'


def _escape(text: str) -> str:
    """Text that is nothing but text in XML; characters that XML cannot hold are replaced."""
    visible = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return visible.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
