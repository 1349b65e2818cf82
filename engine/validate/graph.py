"""Whether the steps of a flow hold together; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.declare.declaration import FlowDeclaration
from engine.declare.diagnostic import Diagnostic

from . import graph_rules
from .edges import EventGraph

Rule = Callable[[EventGraph], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    graph_rules.no_entry,
    graph_rules.several_entries,
    graph_rules.entry_subscribes,
    graph_rules.nothing_triggers,
    graph_rules.nobody_emits,
    graph_rules.nobody_hears,
    graph_rules.reserved_name,
    graph_rules.unreachable,
    graph_rules.cycle,
)


def check_graph(flow: FlowDeclaration) -> tuple[Diagnostic, ...]:
    """Everything that does not hold together in a flow, rule by rule."""
    graph = EventGraph(flow)
    return tuple(diagnostic for rule in RULES for diagnostic in rule(graph))
