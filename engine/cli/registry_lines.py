"""An event of the registry as one line for people, and whose flow it is about; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from engine.events.types import REGISTRY_REJECTED, REGISTRY_UPDATED, RegistryEvent
from engine.registry.changes import FlowChange

from .change_words import flow_words, listed
from .lines import SHORT_RUN_CHARS, TYPE_CHARS, short_run_id, short_value
from .output import GAP, count_of, format_clock, one_line, pad, paint

#: Flows that a line tells of, at most.
_TOLD: Final = 3

_COLOURS: Final = {REGISTRY_UPDATED: "cyan", REGISTRY_REJECTED: "red"}


def registry_line(event: RegistryEvent, *, colour: bool, is_narrow: bool) -> str:
    """One line among those of runs, under whose types its own stands: time, type, and what happened.

    Args:
        event: Any event of the registry.
        colour: Whether to colour it.
        is_narrow: Whether to leave out what the line can do without.
    """
    tint = _COLOURS.get(event.type, "")
    clock = format_clock(event.ts_ms)
    time = paint(clock[:8] if is_narrow else f"{clock}{GAP}{pad('', SHORT_RUN_CHARS)}", "dim", is_on=colour)
    kind = paint(pad(event.type, TYPE_CHARS), tint, is_on=colour)
    return f"{time}{GAP}{kind}{GAP}{paint(what_changed(event), tint, is_on=colour)}".rstrip()


def what_changed(event: RegistryEvent) -> str:
    """What an event of the registry says, in words, also of a type that this release does not know."""
    data = event.data
    match event.type:
        case "registry.updated":
            words = _updated(data)
        case "registry.rejected":
            words = _rejected(data)
        case _:
            return short_value(data) if data else ""
    by = str(data.get("by", ""))
    who = by if "@" in by else f"worker {short_run_id(by)}"
    return one_line(f"{words} ({who})" if by else words)


def may_be_about(event: RegistryEvent, flow: str) -> bool:
    """Whether it names a flow, or may be about it without naming it."""
    data = event.data
    if event.type == REGISTRY_REJECTED:
        flows = data.get("flows")
        return not flows or flow in flows
    if event.type == REGISTRY_UPDATED and not (data.get("moreFlows") or data.get("modules")):
        return any(change.flow == flow for change in _changes(data))
    return True


def _updated(data: Mapping[str, Any]) -> str:
    changes = list(_changes(data))
    words = [flow_words(change) for change in changes[:_TOLD]]
    more = len(changes[_TOLD:]) + int(data.get("moreFlows", 0))
    if more:
        words.append(f"and {count_of(more, 'flow')} more")
    if "modules" in data:
        words.append(f"loaded {listed(_all(data['modules'], data.get('moreModules')))} anew")
    return "; ".join(words) or "nothing has changed"


def _changes(data: Mapping[str, Any]) -> Iterator[FlowChange]:
    """What an update says of each flow."""
    flows = data.get("flows", {})
    for told in flows.get("altered", ()):
        steps, more = told["steps"], told.get("moreSteps", {})
        added, removed, altered = (
            _all(steps[name], more.get(name)) for name in ("added", "removed", "altered")
        )
        yield FlowChange(told["flow"], told["before"], told["version"], added, removed, altered)
    for told in flows.get("removed", ()):
        yield FlowChange(told["flow"], told["version"], None, (), (), ())
    for told in flows.get("added", ()):
        added = _all(told["steps"], told.get("moreSteps"))
        yield FlowChange(told["flow"], None, told["version"], added, (), ())


def _all(names: Sequence[str], more: int | None) -> tuple[str, ...]:
    """Names, and a sign for each that was left out: they count, and there are too many to be shown."""
    return (*names, *(["…"] * (more or 0)))


def _rejected(data: Mapping[str, Any]) -> str:
    words = count_of(int(data.get("errors", 0)), "error")
    first = next(iter(data.get("diagnostics", ())), None)
    if first is None:
        return words
    place = f"{first['file']}:{first['line']}:{first['column']}"
    return f"{words}, first: {place} [{first['code']}] {first['message']}"
