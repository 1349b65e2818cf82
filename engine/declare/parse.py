"""A document of the right shape, said in our words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from .declaration import FlowDeclaration, Located, LocatedNumber, Role, StepDeclaration, Trigger
from .document import Document, Entry, ListNode, MapNode, Node, ScalarNode, start_of

#: The place of what the author left out; nobody points at it.
_NOWHERE = start_of("")


def parse(document: Document) -> FlowDeclaration:
    """The flow that a document declares.

    Args:
        document: One that `check_shape` has nothing to say against.
    """
    root = document.root
    steps = _map(root.get("steps"))
    return FlowDeclaration(
        name=_located(root.get("flow")),
        labels={key: _text(entry.value) for key, entry in _map(root.get("labels")).entries.items()},
        default_queue=_optional(_map(root.get("defaults")).get("queue")),
        steps=tuple(_step(name, entry) for name, entry in steps.entries.items()),
        steps_span=root.entries["steps"].key_span,
    )


def declared_handlers(document: Document) -> Iterator[Located]:
    """The import paths in a document of any shape, so that they can be checked with its other mistakes."""
    steps = document.root.get("steps")
    for entry in steps.entries.values() if isinstance(steps, MapNode) else ():
        handler = entry.value.get("handler") if isinstance(entry.value, MapNode) else None
        if isinstance(handler, ScalarNode) and isinstance(handler.value, str):
            yield Located(handler.value, handler.span)


def declared_name(document: Document) -> Located | None:
    """The name of the flow in a document of any shape."""
    name = document.root.get("flow")
    if isinstance(name, ScalarNode) and isinstance(name.value, str):
        return Located(name.value, name.span)
    return None


def _step(name: str, entry: Entry) -> StepDeclaration:
    step = _map(entry.value)
    role = step.entries.get("role")
    trigger, subscribes = _subscription(step.get("subscribes"))
    priority = _number(step.get("priority"))
    return StepDeclaration(
        name=Located(name, entry.key_span),
        role=_role(role.value) if role else "step",
        role_span=role.value.span if role else entry.key_span,
        handler=_located(step.get("handler")),
        trigger=trigger,
        subscribes=subscribes,
        emits=_events(step.get("emits")),
        queue=_optional(step.get("queue")),
        priority=priority.value if priority else None,
        concurrency=_number(step.get("concurrency")),
    )


def _role(node: Node) -> Role:
    return "entry" if _text(node) == "entry" else "step"


def _subscription(node: Node | None) -> tuple[Trigger, tuple[Located, ...]]:
    """How a step is triggered, and by which events; an event or a list of one is short for `any`."""
    if isinstance(node, MapNode):
        for trigger in get_args(Trigger):
            if trigger in node.entries:
                return trigger, _events(node.get(trigger))
    return "any", _events(node)


def _events(node: Node | None) -> tuple[Located, ...]:
    match node:
        case None:
            return ()
        case ListNode():
            return tuple(_located(item) for item in node.items)
    return (_located(node),)


def _number(node: Node | None) -> LocatedNumber | None:
    if node is None:
        return None
    if not isinstance(node, ScalarNode) or not isinstance(node.value, int):
        raise TypeError(f"a document of the wrong shape was parsed, at {node.span}")
    return LocatedNumber(node.value, node.span)


def _optional(node: Node | None) -> Located | None:
    return None if node is None else _located(node)


def _located(node: Node | None) -> Located:
    if node is None:
        raise TypeError("a document without a key that it must have was parsed")
    return Located(_text(node), node.span)


def _text(node: Node) -> str:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        raise TypeError(f"a document of the wrong shape was parsed, at {node.span}")
    return node.value


def _map(node: Node | None) -> MapNode:
    """A map, which is empty where the author left it out."""
    if node is None:
        return MapNode({}, _NOWHERE)
    if not isinstance(node, MapNode):
        raise TypeError(f"a document of the wrong shape was parsed, at {node.span}")
    return node
