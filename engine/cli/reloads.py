"""What `dev` says of a change: a line for each flow, the modules, or what is wrong; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from engine.compile.plan import Plan
from engine.declare.discover import SETTINGS_FILE
from engine.registry.changes import FlowChange
from engine.reload.outcome import Delayed, Outcome, Rejected, SettingsChanged, Updated

from .change_words import flow_words, listed
from .diagnostics import render_text, summary
from .lines import short_version
from .output import format_duration

#: Flows that have a line of their own, at most; a checkout of another branch may change many.
_MOST_FLOWS: Final = 12

_ENTER: Final = "; Enter shows all"


def outcome_lines(
    outcome: Outcome, *, pinned: Collection[tuple[str, str]], can_ask: bool, colour: bool
) -> tuple[list[str], list[str]]:
    """What to say of an outcome: lines that say what happened, and below them, what more there is to see.

    Args:
        outcome: What became of a save.
        pinned: Flows and versions that runs are on which are not over.
        can_ask: Whether there is somebody who can press Enter.
        colour: Whether to colour diagnostics.
    """
    match outcome:
        case Updated():
            return _of_update(outcome, pinned, colour=colour)
        case Rejected():
            return _of_rejection(outcome, can_ask=can_ask, colour=colour)
        case Delayed(reason):
            return [f"not in force yet: {reason}; tried again until it is"], []
        case SettingsChanged():
            return [f"{SETTINGS_FILE} has changed: settings are read at the start, so start this again"], []


def _of_update(
    updated: Updated, pinned: Collection[tuple[str, str]], *, colour: bool
) -> tuple[list[str], list[str]]:
    changes = updated.changes
    lines = [
        flow_words(change) + _in_flight(change, pinned)
        for change in (*changes.added, *changes.altered, *changes.removed)
    ]
    if len(lines) > _MOST_FLOWS:
        lines[_MOST_FLOWS:] = [f"and {len(lines) - _MOST_FLOWS} flows more"]
    if updated.modules:
        lines.append(_loaded(updated.modules, updated.built.plans))
    if not lines:
        lines.append("nothing differs from what is served")
    if updated.is_mended:
        lines[0] = f"mended: {lines[0]}"
    if updated.is_late:
        lines[0] = f"the store answers: {lines[0]}"
    lines[-1] += f"  ({format_duration(updated.took_ms)})"
    if not updated.warnings:
        return lines, []
    return lines, ["", render_text(updated.warnings, updated.built.sources, colour=colour), ""]


def _in_flight(change: FlowChange, pinned: Collection[tuple[str, str]]) -> str:
    if change.before is None or (change.flow, change.before) not in pinned:
        return ""
    return f"; runs on {short_version(change.before)} finish on it"


def _loaded(modules: Sequence[str], plans: Sequence[Plan]) -> str:
    """Which modules were loaded anew, and whose code is new by that."""
    steps = [
        f"{plan.flow}.{step.name}"
        for plan in plans
        for step in plan.steps.values()
        if step.handler.partition(":")[0] in modules
    ]
    whose = f": new code for {listed(steps)}" if steps else ""
    return f"loaded {listed(modules)} anew{whose}"


def _of_rejection(rejected: Rejected, *, can_ask: bool, colour: bool) -> tuple[list[str], list[str]]:
    built, fresh = rejected.built, rejected.fresh
    told = summary(built.diagnostics, flows=len(built.plans), imports=True)
    if len(built.diagnostics) > len(fresh):
        counts = f"{len(fresh)} of them new" if fresh else f"{rejected.mended} less than before"
        told += f" ({counts}{_ENTER if can_ask else ''})"
    if not fresh:
        return [f"not in force: {told}"], []
    rest = "what was in force stays so" if rejected.is_serving else "nothing new is served until it is mended"
    return [f"not in force; {rest}"], ["", render_text(fresh, built.sources, colour=colour), "", told]
