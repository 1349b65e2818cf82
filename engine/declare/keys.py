"""Keys of a map that are not known, or not there.

A misspelt key is not also a missing one.
"""

from __future__ import annotations

from collections.abc import Sequence

from .diagnostic import Diagnostic
from .fault import Fault, Whereabouts, level_of, name_of, short, where
from .span import Span
from .suggest import nearest
from .words import LATER, OF_STEPS, TO_WRITE, Level, foreign, is_later


def unknown_keys(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    """Keys that a map may not have."""
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
    elif level in ("flow", "defaults") and key in OF_STEPS:
        help = f"`{key}` is a key of a step"
    elif (start := key.partition(":")[0]) in missing and start != key:
        help = f"put a space after the colon: `{start}: {key[len(start) + 1 :]}`"
    elif likely := nearest(key, [*missing, *LATER.get(level, ())]):
        later = ", which is not supported yet by this version of flowengine"
        help = f"did you mean `{likely}`?" if likely in missing else f"did you mean `{likely}`{later}?"
    else:
        help = "the keys here are " + ", ".join(f"`{name}`" for name in fault.schema["properties"])
    return Diagnostic("error", code, f"unknown key `{short(key)}`{where(fault.path)}", span, help)


def _meant(key: str, level: Level, missing: Sequence[str]) -> str | None:
    """The missing key that an unknown one stands for, as far as one can tell."""
    if other := foreign(key, level):
        return other[0]
    if is_later(key, level):
        # Three of them are other kinds of work.
        return "handler" if key in ("flow", "wait", "approval") else None
    start = key.partition(":")[0]
    return start if start in missing else nearest(key, missing)


def missing_keys(places: Whereabouts, fault: Fault) -> list[Diagnostic]:
    """Keys that a map must have and that nothing in it was meant to be."""
    entries = places.map(fault.path).entries
    missing = [key for key in fault.rule if key not in entries]
    unknown = [key for key in entries if key not in fault.schema["properties"]]
    meant = {_meant(key, level_of(fault.path), missing) for key in unknown}
    span = places.key_place(fault.path)
    return [
        Diagnostic("error", "FE104", f"{name_of(fault.path)} has no `{key}`", span, TO_WRITE[key])
        for key in missing
        if key not in meant
    ]
