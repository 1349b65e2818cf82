"""How flows have changed, in words; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.registry.changes import FlowChange

from .lines import short_version

#: Names that a line lists, at most.
_LISTED: Final = 6


def flow_words(change: FlowChange) -> str:
    """What has become of a flow: that it is new, that it is gone, or how it differs."""
    before, after = short_version(change.before or ""), short_version(change.after or "")
    if not before:
        return f"{change.flow} {after} is new: {listed(change.added)}"
    if not after:
        return f"{change.flow} {before} is gone"
    return f"{change.flow} {before} → {after}: {step_words(change)}"


def step_words(change: FlowChange) -> str:
    """How the steps of a flow differ."""
    words = [
        f"{listed(names)} {what}"
        for names, what in ((change.altered, "altered"), (change.added, "added"), (change.removed, "removed"))
        if names
    ]
    return ", ".join(words) or "its labels altered"


def listed(names: Sequence[str]) -> str:
    """Names in a row; of many, the first and how many more."""
    if len(names) <= _LISTED:
        return ", ".join(names)
    return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
