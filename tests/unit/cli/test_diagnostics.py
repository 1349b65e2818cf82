from __future__ import annotations

import json

import pytest

from engine.cli.diagnostics import render_one, render_text, summary, to_annotation, to_report
from engine.declare.diagnostic import Diagnostic, Related
from engine.declare.span import Span

SOURCE = "\n".join(
    [
        "flow: order",
        "steps:",
        "  receive:",
        "    role: entry",
        "    handler: handlers.order:receive",
        "    # a comment",
        "    # a comment",
        "    # a comment",
        "    emits: [order.recieved]",
        "  charge:",
        "    subscribes: order.received",
        "    handler: handlers.order:charge",
    ]
)

UNHEARD = Diagnostic(
    severity="error",
    code="FE403",
    message="step `charge` subscribes to `order.received`, which no step emits",
    span=Span("flows/order.yaml", 11, 17, 11, 31),
    help="did you mean `order.recieved`?",
    related=Related("`order.recieved` is emitted here", Span("flows/order.yaml", 9, 13, 9, 27)),
)


def at(
    line: int, column: int, end_column: int, *, file: str = "f.yaml", end_line: int | None = None
) -> Diagnostic:
    span = Span(file, line, column, end_line or line, end_column)
    return Diagnostic(severity="error", code="FE001", message="no", span=span)


def test_a_diagnostic_points_at_its_place_and_at_a_second_one():
    assert render_one(UNHEARD, {"flows/order.yaml": SOURCE}, colour=False) == (
        "error[FE403]: step `charge` subscribes to `order.received`, which no step emits\n"
        "  --> flows/order.yaml:11:17\n"
        "   |\n"
        "11 |     subscribes: order.received\n"
        "   |                 ^^^^^^^^^^^^^^\n"
        " 9 |     emits: [order.recieved]\n"
        "   |             -------------- `order.recieved` is emitted here\n"
        "   = help: did you mean `order.recieved`?"
    )


def test_the_caret_stands_right_under_wide_characters():
    text = render_one(at(1, 5, 7), {"f.yaml": "日本: 値段"}, colour=False)
    assert text.splitlines()[-2:] == ["1 | 日本: 値段", "  |       ^^^^"]


def test_the_caret_stands_right_behind_tabs():
    text = render_one(at(1, 2, 5), {"f.yaml": "\tkey: x"}, colour=False)
    assert text.splitlines()[-2:] == ["1 |     key: x", "  |     ^^^"]


def test_an_empty_span_gets_one_caret():
    text = render_one(at(1, 4, 4), {"f.yaml": "a: "}, colour=False)
    assert text.splitlines()[-1] == "  |    ^"


def test_a_span_over_several_lines_is_marked_to_the_end_of_its_first():
    text = render_one(at(1, 1, 3, end_line=2), {"f.yaml": "abc\nde"}, colour=False)
    assert text.splitlines()[-2:] == ["1 | abc", "  | ^^^"]


def test_a_file_that_was_not_read_is_named_without_a_line():
    assert render_one(at(1, 1, 1), {}, colour=False) == "error[FE001]: no\n --> f.yaml:1:1"


def test_a_second_place_in_another_file_is_named():
    second = Related("first defined here", Span("b.yaml", 1, 1, 1, 2))
    diagnostic = Diagnostic("error", "FE410", "twice", Span("a.yaml", 1, 1, 1, 2), related=second)
    assert render_one(diagnostic, {"a.yaml": "x", "b.yaml": "y"}, colour=False).splitlines() == [
        "error[FE410]: twice",
        " --> a.yaml:1:1",
        "  |",
        "1 | x",
        "  | ^",
        " ::: b.yaml:1:1",
        "1 | y",
        "  | - first defined here",
    ]


def test_a_very_long_line_is_cut_around_its_place():
    line = "x" * 5_000 + "HERE" + "y" * 5_000
    shown, marks = render_one(at(1, 5_001, 5_005), {"f.yaml": line}, colour=False).splitlines()[-2:]
    assert len(shown) < 120
    assert shown.index("HERE") == marks.index("^^^^")


def test_control_characters_of_a_file_are_shown_and_not_sent():
    text = render_one(at(1, 1, 2), {"f.yaml": "\x1b[31m"}, colour=False)
    assert "\x1b" not in text


def test_colour_is_only_added_where_it_is_wanted():
    sources = {"flows/order.yaml": SOURCE}
    assert "\x1b[" in render_text([UNHEARD], sources, colour=True)
    assert "\x1b[" not in render_text([UNHEARD], sources, colour=False)


def test_the_summary_counts_what_was_found():
    warning = Diagnostic("warning", "FE405", "unheard", Span("b.yaml", 1, 1, 1, 1))
    assert summary([], flows=2) == "2 flows, no problems"
    assert summary([], flows=1) == "1 flow, no problems"
    assert summary([UNHEARD, UNHEARD, UNHEARD, warning], flows=0) == "3 errors, 1 warning in 2 files"
    assert summary([warning], flows=1) == "1 warning in 1 file"


@pytest.mark.parametrize(
    ("codes", "last"),
    [
        (["FE111"], "1 error in 1 file; there may be more once this is mended"),
        (["FE010"], "1 error in 1 file; there may be more once this is mended"),
        (["FE203"], "1 error in 1 file; there may be more once this is mended"),
        (["FE101", "FE204"], "2 errors in 1 file; there may be more once these are mended"),
        (["FE204", "FE403"], "2 errors in 1 file"),
    ],
)
def test_the_summary_says_where_an_error_has_kept_later_checks_from_being_made(codes, last):
    found = [Diagnostic("error", code, "no", Span("f.yaml", 1, 1, 1, 1)) for code in codes]
    assert summary(found, flows=0) == last


def test_the_summary_says_that_handlers_of_an_unsound_flow_are_not_imported():
    warning = Diagnostic("warning", "FE406", "unheard", Span("b.yaml", 1, 1, 1, 1))
    more = "1 error in 1 file; there may be more once this is mended"
    assert summary([UNHEARD], flows=0, imports=True) == more
    assert summary([warning], flows=1, imports=True) == "1 warning in 1 file"


def test_the_json_report_has_a_version_and_both_places():
    report = json.loads(json.dumps(to_report([UNHEARD], flows=0)))
    assert (report["version"], report["errors"], report["warnings"]) == (1, 1, 0)
    [found] = report["diagnostics"]
    assert (found["code"], found["line"], found["column"], found["endColumn"]) == ("FE403", 11, 17, 31)
    assert found["related"]["line"] == 9


def test_an_annotation_escapes_what_would_end_it():
    span = Span("a,b:c.yaml", 1, 2, 1, 3)
    line = to_annotation(Diagnostic("warning", "FE405", "100 % sure", span, help="no"))
    assert line == (
        "::warning file=a%2Cb%3Ac.yaml,line=1,endLine=1,col=2,endColumn=3,title=FE405"
        "::100 %25 sure%0Ahelp: no"
    )
