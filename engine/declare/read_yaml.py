"""YAML into a `Document`; the only module that knows PyYAML.

Neither of PyYAML's ways of loading will do: they hide duplicate keys, read `on`,
`no`, `010` and `12:30` as YAML 1.1, forget the places, and the C one crashes the
process on deep nesting. So this module takes the C parser's *events* and composes
nodes itself. Limits are checked at every event and reading stops at the first one
that is passed, because the parser's own time is quadratic in open brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import yaml

from .diagnostic import Diagnostic
from .document import (
    MAX_ALIASED_NODES,
    MAX_DEPTH,
    MAX_NODES,
    Document,
    Entry,
    ListNode,
    MapNode,
    Node,
    Places,
    Reading,
    ScalarNode,
    ScalarValue,
    duplicate_key,
    empty_file,
)
from .span import Span

# PyYAML builds its C part into every wheel, but an installation from source may lack it.
try:
    from yaml import CSafeLoader
except ImportError as error:
    message = "PyYAML is installed without its C parser; install the `pyyaml` wheel for this platform"
    raise ImportError(message) from error

_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF))|\.(nan|NaN|NAN)")

#: Digits of a whole number; Python refuses to convert more than some thousands.
_MAX_DIGITS = 1000


class _Stop(Exception):
    """Reading cannot go on; the diagnostic says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class _Composed:
    """A node with what an alias to it would cost."""

    node: Node
    size: int
    height: int


def read_yaml(file: str, text: str) -> Reading:
    """Read the text of a YAML file."""
    composer = _Composer(file, text)
    try:
        root = composer.compose_document()
    except _Stop as stop:
        return Reading(None, (*composer.diagnostics, stop.diagnostic))
    except yaml.MarkedYAMLError as error:
        # Imported where it is needed, which is seldom.
        from .yaml_syntax import SyntaxProblem, explain_syntax

        problem = SyntaxProblem(
            context=error.context or "",
            context_at=error.context_mark.index if error.context_mark else None,
            problem=error.problem or "",
            at=error.problem_mark.index if error.problem_mark else 0,
            open_at=composer.innermost_open,
            value_at=composer.last_value_at,
        )
        return Reading(None, (*composer.diagnostics, explain_syntax(text, composer.places, problem)))
    return Reading(Document(file, text, root), tuple(composer.diagnostics))


def resolve(text: str) -> ScalarValue:
    """The value of an unquoted scalar by the core types of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _MAX_DIGITS else float(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Composer:
    """Makes nodes of the parser's events, within the limits."""

    def __init__(self, file: str, text: str) -> None:
        self.places = Places(file, text)
        self.diagnostics: list[Diagnostic] = []
        self._file = file
        self._text = text
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=CSafeLoader)
        self._anchors: dict[str, _Composed | None] = {}
        self._nodes = 0
        self._aliased = 0
        self._open: list[int] = []
        self.last_value_at: int | None = None

    @property
    def innermost_open(self) -> int | None:
        """Where the innermost bracket that is still open stands."""
        return next((at for at in reversed(self._open) if self._text[at : at + 1] in ("[", "{")), None)

    def compose_document(self) -> MapNode:
        """Compose the one document of the stream, which must be a map."""
        event = next(self._events)
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise _Stop(empty_file(self._file))
        root = self._compose(event, depth=1).node
        following = next(self._events)
        while isinstance(following, yaml.DocumentEndEvent):
            following = next(self._events)
        if isinstance(following, yaml.DocumentStartEvent):
            message = "a second document begins here; one file holds one flow"
            raise self._stop("FE021", message, self._span(following), help="move it to a file of its own")
        if isinstance(root, ScalarNode) and root.value is None:
            raise _Stop(empty_file(self._file))
        if not isinstance(root, MapNode):
            raise _Stop(self._not_a_map(root))
        return root

    def _compose(self, event: yaml.Event, *, depth: int) -> _Composed:
        self._count(event, depth)
        match event:
            case yaml.AliasEvent():
                return self._alias(event, depth)
            case yaml.ScalarEvent():
                self._refuse_tag(event)
                self.last_value_at = _at(event.start_mark)
                is_plain = event.implicit[0] and event.tag is None
                value = resolve(event.value) if is_plain else event.value
                composed = _Composed(ScalarNode(value, self._content_span(event)), 1, 1)
                if event.anchor is not None:
                    self._anchors[event.anchor] = composed
                return composed
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                return self._collection(event, depth)
        raise TypeError(f"no node begins with {event}")

    def _collection(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent, depth: int) -> _Composed:
        self._refuse_tag(event)
        if event.anchor is not None:
            # None until the node is complete: an alias to it from inside would be a circle.
            self._anchors[event.anchor] = None
        self._open.append(_at(event.start_mark))
        if isinstance(event, yaml.SequenceStartEvent):
            composed = self._list(event, depth)
        else:
            composed = self._map(event, depth)
        self._open.pop()
        if event.anchor is not None:
            self._anchors[event.anchor] = composed
        return composed

    def _list(self, start: yaml.Event, depth: int) -> _Composed:
        items: list[_Composed] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._compose(event, depth=depth + 1))
        node = ListNode(tuple(item.node for item in items), self._span(start, event))
        return _Composed(node, *_cost(items))

    def _map(self, start: yaml.Event, depth: int) -> _Composed:
        entries: dict[str, Entry] = {}
        values: list[_Composed] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, key_span = self._key(event, depth)
            value = self._compose(next(self._events), depth=depth + 1)
            values.append(value)
            if key in entries:
                self.diagnostics.append(duplicate_key(key, key_span, entries[key].key_span))
            else:
                entries[key] = Entry(key_span, value.node)
        node = MapNode(entries, self._span(start, event))
        return _Composed(node, *_cost(values))

    def _key(self, event: yaml.Event, depth: int) -> tuple[str, Span]:
        self._count(event, depth)
        if isinstance(event, yaml.AliasEvent):
            key = self._alias(event, depth).node
            if isinstance(key, ScalarNode) and isinstance(key.value, str):
                return key.value, self._span(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise _Stop(self._key_is_no_text(event))
        self._refuse_tag(event)
        span = self._content_span(event)
        if event.value == "<<" and event.implicit[0]:
            message = "the merge key `<<` is not part of YAML 1.2 and is not read"
            raise self._stop("FE028", message, span, help="write the keys out")
        if event.anchor is not None:
            self._anchors[event.anchor] = _Composed(ScalarNode(event.value, span), 1, 1)
        return event.value, span

    def _alias(self, event: yaml.AliasEvent, depth: int) -> _Composed:
        name = event.anchor
        if name not in self._anchors:
            message = f"`*{name}` refers to an anchor `&{name}` that is not defined above"
            raise self._stop("FE027", message, self._span(event), help="if it is text, put it in quotes")
        target = self._anchors[name]
        if target is None:
            message = f"`*{name}` stands inside of the value that it refers to"
            raise self._stop("FE027", message, self._span(event))
        self._aliased += target.size
        if self._aliased > MAX_ALIASED_NODES:
            message = f"the aliases of this file stand for more than {MAX_ALIASED_NODES:,} values"
            raise self._stop(
                "FE026", message, self._span(event), help="write the values out, or split the file"
            )
        if depth + target.height - 1 > MAX_DEPTH:
            raise self._too_deep(event)
        return target

    def _count(self, event: yaml.Event, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"this file has more than {MAX_NODES:,} keys and values"
            raise self._stop("FE025", message, self._span(event))
        if depth > MAX_DEPTH:
            raise self._too_deep(event)

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        tag = event.tag
        # A lone `!` says no more than quotes do: this is text.
        if tag is None or (tag == "!" and isinstance(event, yaml.ScalarEvent)):
            return
        start = _at(event.start_mark)
        written = re.compile(r"(&\S+\s+)?(!\S*)").match(self._text, start)
        first, last = written.span(2) if written else (start, start + 1)
        message = f"`{self._text[first:last]}` is a tag, and tags are not read"
        span = self.places.span(first, last)
        raise self._stop("FE029", message, span, help="remove it; if it is text, put it in quotes")

    def _span(self, first: yaml.Event, last: yaml.Event | None = None) -> Span:
        # A block's end mark stands at the next token: cut off the space in between.
        start, end = _at(first.start_mark), _at((last or first).end_mark)
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return self.places.span(start, end)

    def _content_span(self, event: yaml.ScalarEvent) -> Span:
        if event.anchor is None:
            return self._span(event)
        written = re.compile(r"&\S+\s*").match(self._text, _at(event.start_mark))
        start = written.end() if written else _at(event.start_mark)
        return self.places.span(start, _at(event.end_mark))

    def _stop(self, code: str, message: str, span: Span, *, help: str | None = None) -> _Stop:
        return _Stop(Diagnostic("error", code, message, span, help))

    def _too_deep(self, event: yaml.Event) -> _Stop:
        message = f"values are nested more than {MAX_DEPTH} deep here"
        return self._stop("FE024", message, self._span(event))

    def _key_is_no_text(self, event: yaml.Event) -> Diagnostic:
        span = self._span(event)
        if self._text.startswith("{{", max(_at(event.start_mark) - 1, 0)):
            span = self.places.span(_at(event.start_mark) - 1, _at(event.start_mark) + 1)
            message = "`{{` begins a map whose key is a map; there are no templates in a flow file"
            return Diagnostic("error", "FE030", message, span, help="if it is text, put it in quotes")
        return Diagnostic("error", "FE030", "a key must be text", span)

    def _not_a_map(self, root: Node) -> Diagnostic:
        help = "begin with `flow: <name>`"
        if isinstance(root, ScalarNode) and re.match(r"[\w-]+:\S", str(root.value)):
            help = "put a space after the colon"
        message = "a flow file consists of keys and values, as in `flow: hello`, and this is none"
        line_end = self.places.span(*_first_line(self._text))
        return Diagnostic("error", "FE023", message, line_end, help)


class _Mark(Protocol):
    @property
    def index(self) -> int: ...


def _at(mark: _Mark | None) -> int:
    """A mark's offset; events have both of theirs, though PyYAML's types do not say so."""
    return mark.index if mark else 0


def _cost(parts: list[_Composed]) -> tuple[int, int]:
    size = 1 + sum(part.size for part in parts)
    return size, 1 + max((part.height for part in parts), default=0)


def _first_line(text: str) -> tuple[int, int]:
    found = re.search(r"^[^\s#].*$", text, re.MULTILINE)
    return found.span() if found else (0, 0)
