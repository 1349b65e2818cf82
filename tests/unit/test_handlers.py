from __future__ import annotations

import ast
import sysconfig
import types
from pathlib import Path

import pytest

from engine import Job
from handlers import census, hello


class Seen:
    """A stand-in for a handler's context that keeps what it was told."""

    def __init__(self):
        self.emitted: dict[str, object] = {}
        self.said: list[str] = []
        self.done: list[float] = []
        self.flow = types.SimpleNamespace(emit=self.emitted.__setitem__)
        self.logger = types.SimpleNamespace(info=self.said.append, warning=self.said.append)

    def progress(self, fraction, message=""):
        self.done.append(fraction)


def job(data, event=""):
    return Job(id="run1/step#1", data=data, event=event, attempt=1)


@pytest.fixture
def ctx():
    return Seen()


def test_hello_greets_who_is_named(ctx):
    hello.start(job({"name": "Ada"}), ctx)
    assert hello.greet(job(ctx.emitted["data.ready"]), ctx) == {"greeting": "Hello, Ada!"}


def test_hello_greets_the_world_where_nobody_is_named(ctx):
    hello.start(job({}), ctx)
    assert hello.greet(job(ctx.emitted["data.ready"]), ctx) == {"greeting": "Hello, world!"}


def test_the_census_counts_what_a_plain_loop_counts(ctx):
    census.list_modules(job({}), ctx)
    census.analyse(job(ctx.emitted["modules.listed"]), ctx)
    result = census.report(job(ctx.emitted["modules.analysed"]), ctx)

    folder = Path(sysconfig.get_path("stdlib"))
    lines, functions, classes = {}, 0, 0
    for path in folder.rglob("*.py"):
        name = path.relative_to(folder)
        if not census.SKIPPED_FOLDERS.isdisjoint(name.parts):
            continue
        source = path.read_bytes()
        nodes = list(ast.walk(ast.parse(source)))
        lines[name.as_posix()] = len(source.splitlines())
        functions += sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
        classes += sum(isinstance(node, ast.ClassDef) for node in nodes)

    assert result["modules"] == len(lines) > 400
    assert (result["lines"], result["functions"], result["classes"]) == (
        sum(lines.values()),
        functions,
        classes,
    )
    assert result["unreadable"] == []
    assert 0 < result["docstring_coverage"] < 1
    ten = sorted(lines.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
    assert [(row["module"], row["lines"]) for row in result["largest"]] == ten
    assert ctx.done == sorted(ctx.done)


def test_a_module_that_does_not_parse_is_named_and_the_rest_is_counted(ctx, tmp_path):
    (tmp_path / "good.py").write_text('"""Doc."""\n\n\ndef f():\n    pass\n')
    (tmp_path / "bad.py").write_text("def")
    census.analyse(job({"folder": str(tmp_path), "files": ["bad.py", "good.py"]}), ctx)
    assert ctx.emitted["modules.analysed"] == {"rows": [["good.py", 5, 1, 0, 1]], "unreadable": ["bad.py"]}
    result = census.report(job(ctx.emitted["modules.analysed"]), ctx)
    assert (result["modules"], result["docstring_coverage"]) == (1, 0.5)


def test_a_census_of_nothing_is_empty(ctx):
    result = census.report(job({"rows": [], "unreadable": []}), ctx)
    assert (result["modules"], result["docstring_coverage"], result["largest"]) == (0, None, [])


def test_the_payloads_of_the_census_are_small(ctx):
    import json

    census.list_modules(job({}), ctx)
    census.analyse(job(ctx.emitted["modules.listed"]), ctx)
    assert all(len(json.dumps(payload)) < 100_000 for payload in ctx.emitted.values())
