from __future__ import annotations

import json
import platform
import types
from typing import Any

import pytest

from engine import Job
from handlers import census, hello


class Seen:
    """A stand-in for a handler's context that keeps what it was told."""

    def __init__(self):
        self.emitted: list[tuple[str, Any]] = []
        self.said: list[str] = []
        self.flow = types.SimpleNamespace(emit=lambda event, payload: self.emitted.append((event, payload)))
        self.logger = types.SimpleNamespace(info=self.said.append, warning=self.said.append)


def job(data, event=""):
    return Job(id="run1/step#1", data=data, event=event, attempt=1)


@pytest.fixture
def ctx():
    return Seen()


def test_hello_greets_who_is_named(ctx):
    hello.start(job({"name": "Ada"}), ctx)
    [(event, payload)] = ctx.emitted
    assert event == "data.ready"
    assert hello.greet(job(payload), ctx) == {"greeting": "Hello, Ada!"}


def test_hello_greets_the_world_where_nobody_is_named(ctx):
    hello.start(job({}), ctx)
    [(_, payload)] = ctx.emitted
    assert hello.greet(job(payload), ctx) == {"greeting": "Hello, world!"}


def analysed(ctx, folder, *modules):
    """What the analysis of each of these modules emits."""
    for module in modules:
        census.analyse(job({"folder": str(folder), "module": module}, "module.found"), ctx)
    return [payload for event, payload in ctx.emitted if event == "module.analysed"]


def test_the_census_emits_one_event_for_each_module_in_order(ctx):
    told = census.list_modules(job({}), ctx)
    found = [payload["module"] for event, payload in ctx.emitted if event == "module.found"]
    assert found == sorted(set(found))
    assert len(found) == told["modules"] > 400
    assert "json/decoder.py" in found
    assert not any("site-packages" in module for module in found)


def test_the_census_adds_up_what_was_found_in_any_order(ctx, tmp_path):
    (tmp_path / "small.py").write_text("x = 1\n")
    (tmp_path / "large.py").write_text(
        '"""Doc."""\n\n\nclass A:\n    """Doc."""\n\n    def f(self):\n        pass\n\n'
        "    async def g(self): ...\n"
    )
    found = analysed(ctx, tmp_path, "small.py", "large.py")
    totals = {
        "python": platform.python_version(),
        "modules": 2,
        "unreadable": 0,
        "lines": 11,
        "functions": 2,
        "classes": 1,
        "docstrings": 2,
        "docstring_coverage_percent": 40.0,
        "largest": [{"module": "large.py", "lines": 10}, {"module": "small.py", "lines": 1}],
    }
    assert census.report(job(found), ctx) == totals
    assert census.report(job(found[::-1]), ctx) == totals


def test_a_module_that_cannot_be_read_is_said_and_counted_and_fails_nothing(ctx, tmp_path):
    (tmp_path / "good.py").write_text('"""Doc."""\n\n\ndef f():\n    pass\n')
    (tmp_path / "bad.py").write_text("def")
    (tmp_path / "null.py").write_bytes(b"\0")
    found = analysed(ctx, tmp_path, "bad.py", "good.py", "gone.py", "null.py")
    assert [words.split(" cannot be read: ")[0] for words in ctx.said] == ["bad.py", "gone.py", "null.py"]
    result = census.report(job(found), ctx)
    assert (result["modules"], result["unreadable"], result["docstring_coverage_percent"]) == (1, 3, 50.0)


def test_a_census_of_nothing_is_empty(ctx):
    result = census.report(job([]), ctx)
    assert (result["modules"], result["docstring_coverage_percent"], result["largest"]) == (0, None, [])


def test_the_payloads_of_the_census_are_small(ctx):
    census.list_modules(job({}), ctx)
    listed = [payload for _, payload in ctx.emitted]
    folder = listed[0]["folder"]
    analysed(ctx, folder, "json/decoder.py")
    assert all(len(json.dumps(payload)) < 300 + len(folder) for _, payload in ctx.emitted)
