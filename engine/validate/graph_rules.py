"""The rules of a flow's graph, one function each, with the whole flow before it; pure.

What merely follows from another mistake is not reported: where a subscription has a
misspelt event, the steps after it are not also unreachable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.declare.declaration import StepDeclaration
from engine.declare.diagnostic import Diagnostic, Related

from .edges import EventGraph
from .rules import broken

_RESERVED_PARTS = frozenset({"flow", "step", "registry"})
_RESERVED_NAMES = frozenset({"log", "emit", "state"})

#: Names of a path that are spelled; of a longer one, so many of its beginning and of its end.
_LONGEST_PATH = 12
_HEAD = 6
_TAIL = 4

#: Names that a list spells; the rest is counted.
_LONGEST_LIST = 10


def no_entry(graph: EventGraph) -> Iterator[Diagnostic]:
    """A run has no step to begin with."""
    if graph.entries:
        return
    likely = next((step for step in graph.flow.steps if not step.subscribes), None)
    message = f"flow `{graph.flow.name.text}` has no entry: no step has `role: entry`"
    if likely is None:
        help = "add `role: entry` to the step that a run begins with, and remove its `subscribes`"
        yield broken("FE401", message, graph.flow.steps_span, help=help)
        return
    help = f"add `role: entry` to step `{likely.name.text}`"
    related = Related(f"`{likely.name.text}` subscribes to nothing", likely.name.span)
    yield broken("FE401", message, graph.flow.steps_span, help=help, related=related)


def several_entries(graph: EventGraph) -> Iterator[Diagnostic]:
    """A run could begin with more than one step."""
    for step in graph.entries[1:]:
        first = graph.entries[0]
        message = f"step `{step.name.text}` is a second entry of flow `{graph.flow.name.text}`"
        related = Related(f"`{first.name.text}` is the entry already", first.role_span)
        help = f"remove `role: entry` here, and let `{step.name.text}` subscribe to an event of another step"
        yield broken("FE402", message, step.role_span, help=help, related=related)


def entry_subscribes(graph: EventGraph) -> Iterator[Diagnostic]:
    """The entry waits for an event."""
    for step in graph.entries:
        if step.subscribes:
            message = f"step `{step.name.text}` is the entry, so it cannot subscribe to an event"
            yield broken(
                "FE404", message, step.subscribes[0].span, help="remove `subscribes`, or `role: entry`"
            )


def nothing_triggers(graph: EventGraph) -> Iterator[Diagnostic]:
    """A step subscribes to nothing and is no entry."""
    if not graph.entries:
        return
    for step in graph.flow.steps:
        if not step.is_entry and not step.subscribes:
            message = f"nothing triggers step `{step.name.text}`: it has no `subscribes`"
            yield broken("FE405", message, step.name.span, help="add `subscribes: <event>`")


def nobody_emits(graph: EventGraph) -> Iterator[Diagnostic]:
    """A step waits for an event that never comes."""
    for step in graph.flow.steps:
        for event in step.subscribes:
            if event.text in graph.emitters or step.is_entry or is_reserved(event.text):
                continue
            message = f"step `{step.name.text}` subscribes to `{event.text}`, which no step emits"
            likely = graph.meant(event.text)
            if likely is None:
                help = f"add `{event.text}` to the `emits` of the step that announces it"
                yield broken("FE403", message, event.span, help=help)
                continue
            related = Related(f"`{likely}` is emitted here", graph.emitters[likely][0][0].span)
            yield broken("FE403", message, event.span, help=f"did you mean `{likely}`?", related=related)


def nobody_hears(graph: EventGraph) -> Iterator[Diagnostic]:
    """One of a step's events has no subscriber, while others have."""
    misspelt = {
        likely
        for event in graph.subscribers
        if event not in graph.emitters and (likely := graph.meant(event))
    }
    for step in graph.flow.steps:
        is_sink = not any(event.text in graph.subscribers for event in step.emits)
        for event in step.emits:
            if (
                is_sink
                or event.text in graph.subscribers
                or event.text in misspelt
                or is_reserved(event.text)
            ):
                continue
            message = f"step `{step.name.text}` emits `{event.text}`, to which no step subscribes"
            yield broken("FE406", message, event.span)


def reserved_name(graph: EventGraph) -> Iterator[Diagnostic]:
    """An event is named like one of the engine's."""
    for step in graph.flow.steps:
        for event in (*step.subscribes, *step.emits):
            if is_reserved(event.text):
                first = event.text.partition(".")[0]
                taken = f"all of `{first}.…`" if first in _RESERVED_PARTS else f"`{event.text}`"
                message = f"`{event.text}` cannot be the name of an event: {taken} is the engine's own"
                yield broken("FE407", message, event.span, help="give the event another name")


def unreachable(graph: EventGraph) -> Iterator[Diagnostic]:
    """Steps trigger only each other."""
    if not graph.entries:
        return
    known = graph.reach((*graph.entries, *graph.blamed()))
    island = [step for step in graph.flow.steps if step.name.text not in known]
    while island:
        names = graph.connected(island)
        group = [step for step in island if step.name.text in names]
        island = [step for step in island if step.name.text not in names]
        entry = graph.entries[0].name.text
        around = _spelled(next(graph.cycles(group)))
        listed = _listed([step.name.text for step in group])
        message = f"{listed} can never run: nothing leads from the entry `{entry}` to `{around}`"
        help = f"let one of them subscribe to an event that follows from `{entry}`"
        yield broken("FE408", message, group[0].name.span, help=help)


def cycle(graph: EventGraph) -> Iterator[Diagnostic]:
    """A step triggers itself."""
    known = graph.reach((*graph.entries, *graph.blamed())) if graph.entries else None
    steps = [step for step in graph.flow.steps if known is None or step.name.text in known]
    for found in graph.cycles(steps):
        path = _from_the_one_that_waits(found)
        first, before, is_one = path[0], path[-2], len(path) == 2
        emitted = {event.text for event in before.emits}
        heard = next(event for event in first.subscribes if event.text in emitted)
        if first.trigger == "any":
            what = f"{'this step triggers itself' if is_one else 'these steps trigger each other'} for ever"
        else:
            verb = "collects" if first.trigger == "collect" else "waits for"
            what = f"step `{first.name.text}` {verb} `{heard.text}`, which it sets off itself"
        who = "it" if is_one else "one of them"
        help = f"let {who} end the chain instead of emitting its event"
        yield broken("FE409", f"{what}: `{_spelled(path)}`", heard.span, help=help)


def _from_the_one_that_waits(path: Sequence[StepDeclaration]) -> Sequence[StepDeclaration]:
    """A cycle from a step that waits for more than one event, if there is one: it can never begin."""
    around = path[:-1]
    start = next(
        (number for number, step in enumerate(around) if step.trigger != "any"),
        0,
    )
    return (*around[start:], *around[:start], around[start])


def is_reserved(event: str) -> bool:
    """Whether the engine keeps this name for its own events."""
    first, _, rest = event.partition(".")
    return event in _RESERVED_NAMES or (bool(rest) and first in _RESERVED_PARTS)


def _spelled(path: Sequence[StepDeclaration]) -> str:
    names = [step.name.text for step in path]
    if len(names) > _LONGEST_PATH:
        names[_HEAD:-_TAIL] = ["…"]
    return " → ".join(names)


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names[:_LONGEST_LIST]]
    rest = len(names) - len(quoted)
    if rest:
        quoted.append(f"{rest} more")
    joined = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    return f"step {joined}" if len(names) == 1 else f"steps {joined}"
