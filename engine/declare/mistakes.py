"""A fault of the shape in one plain sentence, at the place where it stands.

One function for each keyword of the schema; those about the keys of a map are in
`keys`. What merely follows from another fault is not said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .diagnostic import Diagnostic, Related
from .document import Document, ListNode, Node, ScalarNode
from .fault import Fault, Whereabouts, kind_of, name_of, short
from .keys import missing_keys, unknown_keys
from .span import Span
from .suggest import nearest
from .words import TO_WRITE

_NAME_RULE = "it may have letters, digits, `_` and `-`, and begins with a letter or `_`"
_EVENT_RULE = (
    "it has parts with dots in between, each of letters, digits, `_` and `-`, beginning with a letter or `_`"
)

_TYPES = {"string": "text", "array": "a list", "object": "a map", "integer": "a whole number"}

#: Characters of a list of events that is repeated in a help; a longer one is hinted at.
_LONGEST_EVENTS = 40


def explain(document: Document, faults: Sequence[Fault]) -> tuple[Diagnostic, ...]:
    """The diagnostics for all faults of a document, in the order of the file."""
    if "queue" in document.root.entries and "flow" not in document.root.entries:
        return (_queue_file(document),)
    places = Whereabouts(document)
    found: list[Diagnostic] = []
    seen: set[tuple[Any, ...]] = set()
    for fault in sorted(faults, key=lambda fault: _ORDER.index(fault.keyword)):
        # A name that is too long and has a space in it is one mistake; missing keys are several.
        place = (fault.path, fault.key, fault.keyword if fault.keyword in _OF_MAPS else None)
        if place not in seen:
            seen.add(place)
            found.extend(_EXPLANATIONS[fault.keyword](places, fault))
    return tuple(sorted(found, key=lambda it: (it.span.line, it.span.column, it.code, it.message)))


def _queue_file(document: Document) -> Diagnostic:
    span = document.root.entries["queue"].key_span
    message = "a queue without a flow is not supported yet by this version of flowengine"
    return Diagnostic(
        "error", "FE101", message, span, "write a flow of one step: `flow`, and `steps` with it"
    )


def _wrong_type(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    wanted = fault.rule if isinstance(fault.rule, list) else [fault.rule]
    span = places.place(fault)
    name = name_of(fault.path)
    if fault.value is None:
        help = TO_WRITE["handler"] if name.startswith("step ") else TO_WRITE.get(str(fault.path[-1]))
        return [
            Diagnostic(
                "error", "FE108", f"{name} is empty", span, help or "give it a value, or remove the key"
            )
        ]
    if wanted == ["integer"]:
        return [_no_whole_number(places, fault)]
    if fault.path[-1] == "collect" and isinstance(fault.value, list):
        return [_collected_list(places, fault)]
    kinds = [_TYPES[kind] for kind in wanted]
    must = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} or {kinds[-1]}"
    message = f"{name} must be {must}, not {kind_of(fault.value)}"
    node = places.node(fault.path)
    return [Diagnostic("error", "FE105", message, span, _of_right_type(places, fault, node, wanted))]


def _of_right_type(places: Whereabouts, fault: Fault, node: Node, wanted: Sequence[str]) -> str | None:
    if fault.path == ("steps",):
        return "write each step as `name: {handler: module:function}` under `steps`"
    if fault.path[:1] == ("steps",) and len(fault.path) == 2:
        return "write `handler: module:function` under the step's name"
    if not isinstance(node, ScalarNode) or fault.path[-1] == "handler":
        return TO_WRITE.get(str(fault.path[-1]))
    written = places.written(node.span)
    if "string" in wanted:
        # Most texts are names, and no name begins with a digit.
        may_be_any_text = fault.path[0] in ("labels", "description")
        is_fit = may_be_any_text or re.match("[A-Za-z_]", written)
        return f'write it in quotes: `"{written}"`' if is_fit else None
    return f"write `[{written}]`" if "array" in wanted else None


def _no_whole_number(places: Whereabouts, fault: Fault) -> Diagnostic:
    name, value = fault.path[-1], fault.value
    is_decimal = isinstance(value, float)
    what = f"`{places.written(places.node(fault.path).span)}`" if is_decimal else kind_of(value)
    help = TO_WRITE[str(name)]
    if isinstance(value, dict) and name == "concurrency":
        number = value.get("max")
        plain = f"write `{name}: {number}`" if type(number) is int else "write a number"
        help = f"{plain}: a map is not supported yet by this version of flowengine"
    elif isinstance(value, str) and re.fullmatch("[0-9]{1,7}", value):
        help = f"write `{int(value)}` without quotes"
    elif isinstance(value, float) and value.is_integer():
        help = f"write `{int(value)}`"
    message = f"`{name}` must be a whole number, not {what}"
    return Diagnostic("error", "FE105", message, places.place(fault), help)


def _collected_list(places: Whereabouts, fault: Fault) -> Diagnostic:
    help = TO_WRITE["collect"]
    if len(fault.value) == 1 and isinstance(fault.value[0], str):
        help = f"write `collect: {fault.value[0]}`"
    elif fault.value:
        help = "collect each event in a step of its own, and let another step join these with `all`"
    message = "`collect` takes one event, not a list"
    return Diagnostic("error", "FE105", message, places.place(fault), help)


def _out_of_range(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    bound = "at least" if fault.keyword == "minimum" else "at most"
    message = f"`{fault.path[-1]}` must be {bound} {fault.rule:,}, not {fault.value:,}"
    help = TO_WRITE[str(fault.path[-1])]
    return [Diagnostic("error", "FE111", message, places.place(fault), help)]


def _several_ways(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    entries = places.map(fault.path).entries
    ways = [key for key in entries if key in fault.schema["properties"]]
    if len(ways) < 2:
        # What is too much is unknown, and told as that.
        return []
    related = Related("the first one", entries[ways[0]].key_span)
    listed = " and ".join([", ".join(f"`{way}`" for way in ways[:-1]), f"`{ways[-1]}`"])
    message = f"{name_of(fault.path)} has {listed}, but one step is triggered in one way"
    help = "keep one of them here, and give the others to steps of their own"
    return [Diagnostic("error", "FE112", message, entries[ways[1]].key_span, help, related)]


def _not_one_of(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    allowed = " or ".join(f"`{word}`" for word in fault.rule)
    likely = nearest(str(fault.value), fault.rule)
    help = f"did you mean `{likely}`?" if likely else None
    message = f"{name_of(fault.path)} must be {allowed}, not `{short(fault.value)}`"
    return [Diagnostic("error", "FE106", message, places.place(fault), help)]


def _bad_name(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    is_event = fault.schema["title"].endswith("event")
    rule = _EVENT_RULE if is_event else _NAME_RULE
    what = f"`{short(fault.value)}`" if fault.value else "an empty text"
    message = f"{what} cannot be {fault.schema['title']}: {rule}"
    allowed = _goodname_of(fault.value, is_event=is_event)
    return [
        Diagnostic("error", "FE107", message, places.place(fault), f"write `{allowed}`" if allowed else None)
    ]


def _goodname_of(word: str, *, is_event: bool) -> str | None:
    """A name that is as near to `word` as a name can be."""
    parts = word.strip().split(".") if is_event else [word.strip()]
    cleaned = [re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in parts]
    named = [part if re.match(r"[A-Za-z_]", part) else f"_{part}" for part in cleaned]
    has_sense = re.search("[A-Za-z]", word) and all(cleaned)
    return ".".join(named) if has_sense and len(word) <= 64 else None


def _too_long(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    name = fault.schema.get("title", name_of(fault.path))
    message = f"this text has {len(fault.value)} characters, but {name} has at most {fault.rule}"
    return [Diagnostic("error", "FE109", message, places.place(fault))]


def _too_few(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    name = fault.schema.get("title") if fault.keyword == "minLength" else None
    help = TO_WRITE.get(str(fault.path[-1])) if fault.key is None else None
    return [
        Diagnostic("error", "FE108", f"{name or name_of(fault.path)} is empty", places.place(fault), help)
    ]


def _bare_list(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    message = f"{name_of(fault.path)} lists {len(fault.value)} events without saying what they mean together"
    events = ", ".join(event if isinstance(event, str) else "…" for event in fault.value)
    events = events if len(events) <= _LONGEST_EVENTS else "…"
    help = (
        f"write `{{any: [{events}]}}` to run the step for each of them, "
        f"or `{{all: [{events}]}}` to run it once when all have come"
    )
    return [Diagnostic("error", "FE412", message, places.place(fault), help)]


def _twice(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    node = places.node(fault.path)
    first: dict[Any, Span] = {}
    found = []
    for item in node.items if isinstance(node, ListNode) else ():
        value = item.value if isinstance(item, ScalarNode) else None
        if value in first:
            related = Related("listed here already", first[value])
            message = f"`{short(value)}` is listed twice in {name_of(fault.path)}"
            found.append(Diagnostic("error", "FE110", message, item.span, "remove one of them", related))
        elif value is not None:
            first[value] = item.span
    return found


_Explanation = Callable[[Whereabouts, Fault], list[Diagnostic]]

#: Each keyword of the schema → who explains it, the gravest first.
_EXPLANATIONS: Mapping[str, _Explanation] = {
    "type": _wrong_type,
    "additionalProperties": unknown_keys,
    "required": missing_keys,
    "minProperties": _too_few,
    "minItems": _too_few,
    "minLength": _too_few,
    "maxItems": _bare_list,
    "maxProperties": _several_ways,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "uniqueItems": _twice,
    "enum": _not_one_of,
    "pattern": _bad_name,
    "maxLength": _too_long,
}
_ORDER = tuple(_EXPLANATIONS)
_OF_MAPS = ("additionalProperties", "required", "maxProperties")
