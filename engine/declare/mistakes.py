"""A fault of the shape in one plain sentence, at the place where it stands.

One function for each keyword of the schema. What merely follows from another fault
is not said: a misspelt key is not also a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .diagnostic import Diagnostic, Related
from .document import Document, ListNode, Node, ScalarNode
from .fault import Fault, Whereabouts, kind_of, level_of, name_of, where
from .span import Span
from .suggest import nearest
from .words import LATER, Level, foreign, is_later

_NAME_RULE = "it may have letters, digits, `_` and `-`, and begins with a letter or `_`"
_EVENT_RULE = (
    "it has parts with dots in between, each of letters, digits, `_` and `-`, beginning with a letter or `_`"
)

_TYPES = {"string": "text", "array": "a list", "object": "a map"}

#: A missing key → what to write.
_TO_WRITE = {
    "flow": "write `flow: <name>`",
    "steps": "write `steps:`, and under it each step as `name: {handler: module:function}`",
    "handler": "write `handler: module:function`",
    "any": "write `{any: [a, b]}`",
}


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


def _unknown_keys(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    entries = places.map(fault.path).entries
    known = fault.schema["properties"]
    return [
        _unknown_key(fault, key, entry.key_span, [name for name in known if name not in entries])
        for key, entry in entries.items()
        if key not in known
    ]


def _unknown_key(fault: Fault, key: str, span: Span, missing: Sequence[str]) -> Diagnostic:
    level = level_of(fault.path)
    code, help = "FE101", None
    if other := foreign(key, level):
        code, help = "FE102", other[1]
    elif is_later(key, level):
        help = f"`{key}` is not supported yet by this version of flowengine"
    elif (start := key.partition(":")[0]) in missing and start != key:
        help = f"put a space after the colon: `{start}: {key[len(start) + 1 :]}`"
    elif likely := nearest(key, [*missing, *LATER.get(level, ())]):
        later = ", which is not supported yet by this version of flowengine"
        help = f"did you mean `{likely}`?" if likely in missing else f"did you mean `{likely}`{later}?"
    else:
        help = "the keys here are " + ", ".join(f"`{name}`" for name in fault.schema["properties"])
    return Diagnostic("error", code, f"unknown key `{_short(key)}`{where(fault.path)}", span, help)


def _meant(key: str, level: Level, missing: Sequence[str]) -> str | None:
    """The missing key that an unknown one stands for, as far as one can tell."""
    if other := foreign(key, level):
        return other[0]
    if is_later(key, level):
        # Three of them are other kinds of work, and two other kinds of subscription.
        return {
            "flow": "handler",
            "wait": "handler",
            "approval": "handler",
            "all": "any",
            "collect": "any",
        }.get(key)
    start = key.partition(":")[0]
    return start if start in missing else nearest(key, missing)


def _missing_keys(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    entries = places.map(fault.path).entries
    missing = [key for key in fault.rule if key not in entries]
    unknown = [key for key in entries if key not in fault.schema["properties"]]
    meant = {_meant(key, level_of(fault.path), missing) for key in unknown}
    span = places.key_place(fault.path)
    return [
        Diagnostic("error", "FE104", f"{name_of(fault.path)} has no `{key}`", span, _TO_WRITE[key])
        for key in missing
        if key not in meant
    ]


def _wrong_type(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    wanted = fault.rule if isinstance(fault.rule, list) else [fault.rule]
    span = places.place(fault)
    name = name_of(fault.path)
    if fault.value is None:
        help = _TO_WRITE["handler"] if name.startswith("step ") else _TO_WRITE.get(str(fault.path[-1]))
        return [
            Diagnostic(
                "error", "FE108", f"{name} is empty", span, help or "give it a value, or remove the key"
            )
        ]
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
    if not isinstance(node, ScalarNode):
        return None
    written = places.written(node.span)
    if fault.path[-1] == "handler":
        return _TO_WRITE["handler"]
    if "string" in wanted:
        # Most texts are names, and no name begins with a digit.
        may_be_any_text = fault.path[0] in ("labels", "description")
        is_fit = may_be_any_text or re.match("[A-Za-z_]", written)
        return f'write it in quotes: `"{written}"`' if is_fit else None
    return f"write `[{written}]`" if "array" in wanted else None


def _not_one_of(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    allowed = " or ".join(f"`{word}`" for word in fault.rule)
    likely = nearest(str(fault.value), fault.rule)
    help = f"did you mean `{likely}`?" if likely else None
    message = f"{name_of(fault.path)} must be {allowed}, not `{_short(fault.value)}`"
    return [Diagnostic("error", "FE106", message, places.place(fault), help)]


def _bad_name(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    is_event = fault.schema["title"].endswith("event")
    rule = _EVENT_RULE if is_event else _NAME_RULE
    what = f"`{_short(fault.value)}`" if fault.value else "an empty text"
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
    help = _TO_WRITE.get(str(fault.path[-1])) if fault.key is None else None
    return [
        Diagnostic("error", "FE108", f"{name or name_of(fault.path)} is empty", places.place(fault), help)
    ]


def _bare_list(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    message = f"{name_of(fault.path)} lists {len(fault.value)} events without saying what they mean together"
    events = ", ".join(str(event) for event in fault.value)
    help = f"write `{{any: [{_short(events)}]}}` to run the step once for each of them"
    return [Diagnostic("error", "FE412", message, places.place(fault), help)]


def _twice(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    node = places.node(fault.path)
    first: dict[Any, Span] = {}
    found = []
    for item in node.items if isinstance(node, ListNode) else ():
        value = item.value if isinstance(item, ScalarNode) else None
        if value in first:
            related = Related("listed here already", first[value])
            message = f"`{_short(value)}` is listed twice in {name_of(fault.path)}"
            found.append(Diagnostic("error", "FE110", message, item.span, "remove one of them", related))
        elif value is not None:
            first[value] = item.span
    return found


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 70 else f"{text[:67]}…"


_Explanation = Callable[[Whereabouts, Fault], list[Diagnostic]]

#: Each keyword of the schema → who explains it, the gravest first.
_EXPLANATIONS: Mapping[str, _Explanation] = {
    "type": _wrong_type,
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "minProperties": _too_few,
    "minItems": _too_few,
    "minLength": _too_few,
    "maxItems": _bare_list,
    "uniqueItems": _twice,
    "enum": _not_one_of,
    "pattern": _bad_name,
    "maxLength": _too_long,
}
_ORDER = tuple(_EXPLANATIONS)
_OF_MAPS = ("additionalProperties", "required")
