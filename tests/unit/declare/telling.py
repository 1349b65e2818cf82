"""Diagnostics as lines of text, to compare with what they should say."""

from __future__ import annotations

from collections.abc import Iterable

from engine.declare.diagnostic import Diagnostic


def told(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """`CODE line:column message`, then ` = help` and ` @ line:column label` where there are such."""
    return [_line(diagnostic) for diagnostic in diagnostics]


def _line(diagnostic: Diagnostic) -> str:
    parts = [f"{diagnostic.code} {diagnostic.span.line}:{diagnostic.span.column} {diagnostic.message}"]
    if diagnostic.help:
        parts.append(f"= {diagnostic.help}")
    if diagnostic.related:
        span = diagnostic.related.span
        parts.append(f"@ {span.line}:{span.column} {diagnostic.related.message}")
    return " ".join(parts)
