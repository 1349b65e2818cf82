"""Telling those who follow the registry what came into force, and what was refused.

An event has less than 64 KiB: of very many flows, steps, modules and mistakes it has some, and says how many
there are.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final

from engine.clock import new_token
from engine.declare.diagnostic import Diagnostic
from engine.events.codec import as_text, encode_json
from engine.events.types import REGISTRY_REJECTED, REGISTRY_UPDATED
from engine.registry.changes import Changes, FlowChange
from engine.store.connection import Store
from engine.store.registry_feed import announce

#: Bytes of what one event tells at length, and of a list of names beside it, at most.
_TOLD_BYTES: Final = 40 * 1024
_NAMES_BYTES: Final = 8 * 1024

#: Steps that one list of a flow names, at most.
_STEPS: Final = 20

#: Diagnostics in one event, and characters of each text, at most.
_DIAGNOSTICS: Final = 20
_TEXT_CHARS: Final = 400


def command_here(name: str) -> str:
    """How a command that is no worker is named, such as `deploy@<host>`."""
    return f"{name}@{socket.gethostname()}"


def announce_update(store: Store, *, by: str, changes: Changes, modules: Sequence[str] = ()) -> None:
    """Tell that versions came into force, or that handlers were loaded anew; says nothing of no change.

    Args:
        store: Whose followers are told.
        by: Who did it: a worker's id, or what `command_here` says.
        changes: What has become of the flows.
        modules: Names of the modules that were loaded anew.

    Raises:
        StoreError: The store cannot be reached.
    """
    if changes.is_empty and not modules:
        return
    data = {"by": by, **_flows(changes), **_modules(modules)}
    announce(store, token=new_token(), kind=REGISTRY_UPDATED, data=encode_json(data))


def announce_rejection(
    store: Store, *, by: str, diagnostics: Sequence[Diagnostic], flows: Iterable[str] = ()
) -> None:
    """Tell that what the files say was refused, and what was in force stays so.

    Args:
        store: Whose followers are told.
        by: Who refused it: a worker's id.
        diagnostics: What is wrong, errors and warnings.
        flows: The flows that the files at fault declare, as far as that can be read.

    Raises:
        StoreError: The store cannot be reached.
    """
    errors = sum(1 for it in diagnostics if it.is_error)
    # Errors first, since some may be left out.
    first = sorted(diagnostics, key=lambda it: not it.is_error)[:_DIAGNOSTICS]
    data = {
        "by": by,
        "errors": errors,
        "warnings": len(diagnostics) - errors,
        "flows": _within(sorted(flows), _NAMES_BYTES),
        "diagnostics": _within([_diagnostic(it) for it in first], _TOLD_BYTES),
    }
    announce(store, token=new_token(), kind=REGISTRY_REJECTED, data=encode_json(data))


def _flows(changes: Changes) -> dict[str, Any]:
    found = [("altered", _altered(it)) for it in changes.altered]
    found += [("removed", {"flow": it.flow, "version": it.before}) for it in changes.removed]
    found += [("added", _added(it)) for it in changes.added]
    told = _within(found, _TOLD_BYTES)
    flows: dict[str, list[Any]] = {"added": [], "removed": [], "altered": []}
    for kind, flow in told:
        flows[kind].append(flow)
    more = len(found) - len(told)
    return {"flows": flows, **({"moreFlows": more} if more else {})}


def _added(change: FlowChange) -> dict[str, Any]:
    told = {"flow": change.flow, "version": change.after, "steps": change.added[:_STEPS]}
    more = len(change.added[_STEPS:])
    return {**told, "moreSteps": more} if more else told


def _altered(change: FlowChange) -> dict[str, Any]:
    steps = {"added": change.added, "removed": change.removed, "altered": change.altered}
    told = {
        "flow": change.flow,
        "before": change.before,
        "version": change.after,
        "steps": {name: names[:_STEPS] for name, names in steps.items()},
    }
    more = {name: len(names[_STEPS:]) for name, names in steps.items() if names[_STEPS:]}
    return {**told, "moreSteps": more} if more else told


def _modules(modules: Sequence[str]) -> dict[str, Any]:
    if not modules:
        return {}
    told = _within([_short(name) for name in modules], _NAMES_BYTES)
    more = len(modules) - len(told)
    return {"modules": told, **({"moreModules": more} if more else {})}


def _within(items: Sequence[Any], limit_bytes: int) -> Sequence[Any]:
    """The first items, as many as are no longer together than a limit when they are encoded."""
    for place, item in enumerate(items):
        limit_bytes -= len(encode_json(item)) + 1
        if limit_bytes < 0:
            return items[:place]
    return items


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {
        "severity": found.severity,
        "code": found.code,
        "message": _short(found.message),
        "help": found.help and _short(found.help),
        "file": _short(found.span.file),
        "line": found.span.line,
        "column": found.span.column,
    }


def _short(text: str) -> str:
    """Text that JSON can carry, cut where it is long."""
    text = as_text(text)
    return text if len(text) <= _TEXT_CHARS else f"{text[: _TEXT_CHARS - 1]}…"
