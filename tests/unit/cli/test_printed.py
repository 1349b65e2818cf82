from __future__ import annotations

import io
import threading

from engine.cli.printed import Printed


def test_lines_are_kept_until_they_are_taken():
    behind = io.StringIO()
    printed = Printed(behind)
    print("one\ntwo", file=printed)
    print("thr", end="", file=printed)
    assert printed.take() == ["one", "two"]
    print("ee", file=printed)
    assert printed.take() == ["three"]
    assert printed.take() == []
    assert behind.getvalue() == ""


def test_a_line_begun_by_one_thread_is_not_broken_by_another():
    printed = Printed(io.StringIO())
    printed.write("one ")
    other = threading.Thread(target=print, args=("between",), kwargs={"file": printed})
    other.start()
    other.join()
    printed.write("line\n")
    assert printed.take() == ["between", "one line"]


def test_after_its_end_it_writes_through():
    behind = io.StringIO()
    printed = Printed(behind)
    print("whole", file=printed)
    printed.write("rest")
    assert printed.end() == ["whole", "rest"]
    print("late", file=printed)
    assert behind.getvalue() == "late\n"


def test_it_answers_for_the_stream_behind():
    behind = io.StringIO()
    assert not Printed(behind).isatty()
