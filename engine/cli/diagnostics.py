"""Diagnostics as people, editors and code hosts read them: text, JSON, annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.declare.diagnostic import Diagnostic
from engine.declare.span import Span

from .output import count_of, one_line, paint, width_of

#: Version of the JSON report; a field may be added to it, none changes its meaning.
JSON_VERSION: Final = 1

#: What a tab takes when a source line is shown.
_TAB: Final = "    "

#: Longest part of a source line that is shown, in characters; a minified file has longer ones.
_SHOWN_CHARS: Final = 100

#: Characters shown in front of the place when a line is cut.
_LEAD_CHARS: Final = 40

#: How the codes begin of errors that later checks wait for: a file that cannot be read or has not the
#: shape of a flow is not checked as a graph, and in a module that cannot be parsed nothing is looked up.
_FIRST: Final = ("FE0", "FE1", "FE203")

_COLOURS: Final = {"error": "red", "warning": "yellow"}


def render_text(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colour: bool) -> str:
    """All diagnostics with the lines that they point at, parted by empty lines."""
    return "\n\n".join(render_one(diagnostic, sources, colour=colour) for diagnostic in diagnostics)


def render_one(diagnostic: Diagnostic, sources: Mapping[str, str], *, colour: bool) -> str:
    """One diagnostic: its sentence, its place with a caret, a second place, and the help."""
    severity = _COLOURS[diagnostic.severity]
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", severity, is_on=colour, is_bold=True)
    span = diagnostic.span
    second = diagnostic.related
    numbers = [span.line] + ([second.span.line] if second else [])
    gutter = max(len(str(number)) for number in numbers)
    lines = [f"{head}: {one_line(diagnostic.message)}", _arrow("-->", span, gutter, colour=colour)]
    block = _block(span, sources, gutter, mark="^", label="", colour=colour, tint=severity)
    if block:
        lines += [_bar(gutter, colour=colour), *block]
    if second:
        if second.span.file != span.file:
            lines.append(_arrow(":::", second.span, gutter, colour=colour))
        lines += _block(
            second.span, sources, gutter, mark="-", label=second.message, colour=colour, tint="blue"
        )
    if diagnostic.help:
        equals = paint("=", "blue", is_on=colour)
        lines.append(f"{' ' * gutter} {equals} help: {one_line(diagnostic.help)}")
    return "\n".join(lines)


def _arrow(arrow: str, span: Span, gutter: int, *, colour: bool) -> str:
    place = f"{one_line(span.file)}:{span.line}:{span.column}"
    return f"{' ' * gutter}{paint(arrow, 'blue', is_on=colour)} {place}"


def _bar(gutter: int, *, colour: bool) -> str:
    return f"{' ' * gutter} {paint('|', 'blue', is_on=colour)}"


def _block(
    span: Span,
    sources: Mapping[str, str],
    gutter: int,
    *,
    mark: str,
    label: str,
    colour: bool,
    tint: str,
) -> list[str]:
    """The source line of a span and the marks under it; nothing where there is no such line."""
    source_lines = sources.get(span.file, "").splitlines()
    if not 1 <= span.line <= len(source_lines):
        return []
    before, marked, after = _cut(source_lines[span.line - 1], span)
    number = paint(f"{span.line:>{gutter}} |", "blue", is_on=colour)
    marks = mark * max(1, width_of(marked))
    if label:
        marks = f"{marks} {one_line(label)}"
    under = " " * width_of(before) + paint(marks, tint, is_on=colour, is_bold=True)
    return [f"{number} {before}{marked}{after}".rstrip(), f"{_bar(gutter, colour=colour)} {under}"]


def _cut(line: str, span: Span) -> tuple[str, str, str]:
    """The line in three parts (before, marked, after), as it can be shown, cut when it is long."""
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = min(max(end, start), len(line))
    before, marked, after = line[:start], line[start:end], line[end:]
    if len(line) > _SHOWN_CHARS:
        if len(before) > _LEAD_CHARS:
            before = "…" + before[-_LEAD_CHARS:]
        room = max(1, _SHOWN_CHARS - len(before))
        if len(marked) > room:
            marked, after = marked[:room] + "…", ""
        elif len(marked) + len(after) > room:
            after = after[: room - len(marked)] + "…"
    return _shown(before), _shown(marked), _shown(after)


def _shown(text: str) -> str:
    return one_line(text.replace("\t", _TAB))


def summary(diagnostics: Sequence[Diagnostic], *, flows: int, imports: bool = False) -> str:
    """The last line of a report: `2 flows, no problems`, `3 errors, 1 warning in 2 files`.

    It says also that there may be more, where an error has kept a check from being made.

    Args:
        diagnostics: What was found.
        flows: How many flows could be compiled.
        imports: Whether handlers were imported, which is done for flows without an error only.
    """
    if not diagnostics:
        return f"{count_of(flows, 'flow')}, no problems"
    errors, warnings = count_of_each(diagnostics)
    counts = [count_of(errors, "error")] if errors else []
    counts += [count_of(warnings, "warning")] if warnings else []
    files = len({diagnostic.span.file for diagnostic in diagnostics})
    these = "this is" if len(diagnostics) == 1 else "these are"
    is_cut = any(it.is_error and (imports or it.code.startswith(_FIRST)) for it in diagnostics)
    more = f"; there may be more once {these} mended" if is_cut else ""
    return f"{', '.join(counts)} in {count_of(files, 'file')}{more}"


def count_of_each(diagnostics: Sequence[Diagnostic]) -> tuple[int, int]:
    """How many are errors, and how many are warnings."""
    errors = sum(1 for diagnostic in diagnostics if diagnostic.is_error)
    return errors, len(diagnostics) - errors


def to_report(diagnostics: Sequence[Diagnostic], *, flows: int) -> dict[str, Any]:
    """The report as JSON-able data, for editors and scripts."""
    errors, warnings = count_of_each(diagnostics)
    return {
        "version": JSON_VERSION,
        "flows": flows,
        "errors": errors,
        "warnings": warnings,
        "diagnostics": [_to_dict(diagnostic) for diagnostic in diagnostics],
    }


def _to_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    second = diagnostic.related
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "help": diagnostic.help,
        **_place(diagnostic.span),
        "related": {"message": second.message, **_place(second.span)} if second else None,
    }


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def to_annotation(diagnostic: Diagnostic) -> str:
    """A workflow command of GitHub Actions, which puts the sentence beside the line."""
    span = diagnostic.span
    text = f"{diagnostic.message}\nhelp: {diagnostic.help}" if diagnostic.help else diagnostic.message
    properties = {
        "file": span.file,
        "line": span.line,
        "endLine": span.end_line,
        "col": span.column,
        "endColumn": span.end_column,
        "title": diagnostic.code,
    }
    named = ",".join(f"{name}={_escape_property(str(value))}" for name, value in properties.items())
    return f"::{diagnostic.severity} {named}::{_escape(text)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
