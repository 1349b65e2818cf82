"""The YAML parser's complaints in plain words, at the place where the mistake is.

The parser says what it expected next and where it gave up, which is often far from
the mistake (an open quote is noticed at the end of the file). Each function here
knows one complaint; they look at the text around it, and never fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .diagnostic import Diagnostic, Related
from .document import Places

_KEY_WITHOUT_SPACE = re.compile(r"\s*(?:- +)?([\w.-]+):(?=[^\s:])")
_KEY_WITH_VALUE = re.compile(r"\s*(?:- +)?[^\s:#][^:]*:\s+(?=\S)")

_SPECIAL = "@`%"


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """What the parser reported; all places are offsets into the text.

    Attributes:
        context: What it was doing, or "".
        context_at: Where that began.
        problem: What it did not like.
        at: Where it gave up.
        open_at: The innermost bracket that was still open, or None.
        value_at: Where the last value that is no list or map began, or None.
    """

    context: str
    context_at: int | None
    problem: str
    at: int
    open_at: int | None
    value_at: int | None


class _Text:
    """The text of the file, with what the explanations ask about it."""

    def __init__(self, text: str, places: Places) -> None:
        self.text = text
        self._places = places

    def error(
        self, code: str, message: str, start: int, end: int | None = None, *, help: str | None = None
    ) -> Diagnostic:
        span = self._places.span(start, start + 1 if end is None else end)
        return Diagnostic("error", code, message, span, help)

    def related(self, message: str, start: int, end: int) -> Related:
        return Related(message, self._places.span(start, end))

    def line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def first_of_line(self, at: int) -> int:
        """The first character of the line that is not a space."""
        start = self.line_start(at)
        line = self.text[start : self.line_end(at)]
        return start + len(line) - len(line.lstrip(" "))

    def previous_line(self, at: int) -> int | None:
        """The start of the line above that has something on it."""
        start = self.line_start(at)
        while start > 0:
            start = self.line_start(start - 1)
            if self.text[start : self.line_end(start)].strip():
                return start
        return None


def explain_syntax(text: str, places: Places, problem: SyntaxProblem) -> Diagnostic:
    """Say in one sentence what the parser's complaint means."""
    source = _Text(text, places)
    for words, explain in _EXPLANATIONS:
        if words in problem.problem and (found := explain(source, problem)):
            return found
    return source.error("FE017", f"this is not valid YAML: {_complaint(problem)}", problem.at)


def _complaint(problem: SyntaxProblem) -> str:
    return " ".join(part for part in (problem.problem, problem.context) if part)


def _end_of_stream(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    if problem.context_at is None or "quoted" not in problem.context:
        return None
    return _open_quote(source, problem.context_at)


def _open_quote(source: _Text, opened: int) -> Diagnostic:
    message = f"the quote {source.text[opened]} that opens here is not closed on its line"
    return source.error("FE010", message, opened)


def _bracket(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    opened = problem.open_at
    if opened is None:
        return None
    bracket = source.text[opened]
    closing = "]" if bracket == "[" else "}"
    is_other_line = source.line_start(opened) != source.line_start(problem.at)
    is_at_end = problem.at >= len(source.text.rstrip())
    if is_other_line or is_at_end or source.text[problem.at] in ("]", "}"):
        message = f"the `{bracket}` that opens here is not closed"
        return source.error("FE011", message, opened, help=f"close it with `{closing}`")
    message = f"a comma or `{closing}` is missing before this"
    return source.error("FE011", message, problem.at)


def _content(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    found = source.text[problem.at : problem.at + 1]
    if problem.open_at is not None and found not in (",", "]", "}"):
        return _bracket(source, problem)
    if found in ("]", "}", ","):
        return source.error(
            "FE011", f"`{found}` stands here with nothing before it that it could end", problem.at
        )
    return None


def _token(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    found = source.text[problem.at : problem.at + 1]
    if found == "\t":
        return _tab(source, problem)
    if found and found in _SPECIAL:
        message = (
            f"a value cannot begin with `{found}`"
            if found != "`"
            else "a value cannot begin with a back-tick"
        )
        return source.error("FE016", message, problem.at, help="put the value in quotes")
    return None


def _tab(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    tab = source.text.find("\t", source.line_start(problem.at), source.line_end(problem.at))
    at = problem.at if tab < 0 else tab
    return source.error("FE013", "a tab stands where YAML allows only spaces", at, help="indent with spaces")


def _second_colon(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    start = source.line_start(problem.at)
    line = source.text[start : source.line_end(problem.at)]
    first = _KEY_WITH_VALUE.match(line)
    if first and start + first.end() <= problem.at:
        message = "the value that begins here contains a colon and a space, which would make it a key"
        end = start + len(line.rstrip())
        return source.error("FE014", message, start + first.end(), end, help="put the value in quotes")
    above = source.previous_line(problem.at)
    if above is not None and (found := _without_space(source, above)):
        return found
    return _indentation(source, problem)


def _without_space(source: _Text, line_start: int) -> Diagnostic | None:
    found = _KEY_WITHOUT_SPACE.match(source.text, line_start)
    if not found:
        return None
    key, value_at = found[1], found.end()
    value = source.text[value_at : source.line_end(value_at)].strip()
    message = f"there is no space after the colon of `{key}`"
    return source.error("FE015", message, found.start(1), value_at, help=f"write `{key}: {value}`")


def _no_colon(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    start = source.line_start(problem.at if problem.context_at is None else problem.context_at)
    if found := _without_space(source, start):
        return found
    first = source.first_of_line(start)
    end = source.line_end(first)
    words = source.text[first:end].strip()
    message = f"`{words[:40]}` is neither a key with its colon nor part of the value above"
    return source.error("FE015", message, first, end, help="write `key: value`")


def _indentation(source: _Text, problem: SyntaxProblem) -> Diagnostic:
    first = source.first_of_line(problem.at)
    end = max(source.line_end(first), first + 1)
    message = "this line is indented like no line above that it could belong to"
    return source.error("FE012", message, first, end, help="indent all keys of one map alike")


def _key_expected(source: _Text, problem: SyntaxProblem) -> Diagnostic:
    opened = problem.value_at
    if (
        opened is not None
        and source.text[opened] in ("'", '"')
        and source.line_start(opened) != source.line_start(problem.at)
    ):
        # The quote was closed by the one that opens a later value.
        return _open_quote(source, opened)
    if source.first_of_line(problem.at) == problem.at:
        if source.text.startswith("- ", problem.at):
            message = "a list item stands here among the keys of a map"
            return source.error(
                "FE012", message, problem.at, help="indent it under the key that it belongs to"
            )
        return _indentation(source, problem)
    found = source.text[problem.at : problem.at + 1]
    if found in ("]", "}"):
        return source.error("FE011", f"this `{found}` closes nothing", problem.at)
    rest = source.text[problem.at : source.line_end(problem.at)].strip()
    message = f"the value has ended before this, so `{rest[:40]}` belongs to nothing"
    help = "put quotes around the whole value; inside of single quotes write ' twice"
    return source.error("FE017", message, problem.at, problem.at + len(rest), help=help)


def _item_expected(source: _Text, problem: SyntaxProblem) -> Diagnostic:
    first = source.first_of_line(problem.at)
    message = "this line stands among the items of a list, but does not begin with `- `"
    return source.error("FE012", message, first, max(source.line_end(first), first + 1))


def _item_in_value(source: _Text, problem: SyntaxProblem) -> Diagnostic:
    message = "a list cannot begin with `- ` on the line of its key"
    return source.error(
        "FE012", message, problem.at, help="write `[a, b]`, or each `- item` on a line of its own"
    )


def _anchor_name(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    if problem.context_at is None:
        return None
    sign = source.text[problem.context_at : problem.context_at + 1]
    message = f"a value cannot begin with `{sign}`"
    return source.error("FE016", message, problem.context_at, help="put the value in quotes")


def _tag(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    at = problem.at if problem.context_at is None else problem.context_at
    found = re.compile(r"!\S*").match(source.text, at)
    end = found.end() if found else at + 1
    message = f"`{source.text[at:end]}` is a tag, and tags are not read"
    return source.error("FE029", message, at, end, help="remove it; if it is text, put it in quotes")


def _block_scalar(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    if problem.context_at is None or "block scalar" not in problem.context:
        return None
    sign = source.text[problem.context_at : problem.context_at + 1]
    message = f"after `{sign}` the text begins on the next line"
    help = f"put the value in quotes if `{sign}` is part of it"
    return source.error("FE016", message, problem.context_at, help=help)


def _escape(source: _Text, problem: SyntaxProblem) -> Diagnostic | None:
    at = source.text.rfind("\\", 0, problem.at + 1)
    if at < 0:
        return None
    message = "this backslash begins no escape that YAML knows"
    return source.error("FE017", message, at, at + 2, help="write it twice, or use single quotes")


def _after_end(source: _Text, problem: SyntaxProblem) -> Diagnostic:
    message = "there is more text after the end of the document"
    return source.error(
        "FE021", message, problem.at, source.line_end(problem.at), help="one file holds one flow"
    )


#: Words of the parser's complaint → who explains it; the first that has an answer gives it.
_EXPLANATIONS: tuple[tuple[str, Callable[[_Text, SyntaxProblem], Diagnostic | None]], ...] = (
    ("unexpected end of stream", _end_of_stream),
    ("unexpected document indicator", _end_of_stream),
    ("did not find expected ','", _bracket),
    ("did not find expected node content", _content),
    ("cannot start any token", _token),
    ("tab character", _tab),
    ("mapping values are not allowed", _second_colon),
    ("could not find expected ':'", _no_colon),
    ("did not find expected key", _key_expected),
    ("did not find expected '-' indicator", _item_expected),
    ("block sequence entries are not allowed", _item_in_value),
    ("alphabetic or numeric character", _anchor_name),
    ("undefined tag handle", _tag),
    ("scanning a tag", _tag),
    ("comment or line break", _block_scalar),
    ("escape", _escape),
    ("<document start>", _after_end),
)
