"""Handlers, looked up in the source."""

from __future__ import annotations

import sys

import pytest

from engine.declare.declaration import Located
from engine.declare.span import Span
from engine.validate.handlers import check_handlers, split_import_path
from engine.validate.source import Sources
from tests.unit.declare.telling import told

PLACE = Span("flow.yaml", 4, 14, 4, 30)

MODULE = '''\
"""Handlers."""
from os.path import join as imported
import functools

def start(job, ctx): ...

def greet(job, ctx, *, loud=False): ...

def many(*args, **kwargs): ...

def with_default(job, ctx=None, more=1): ...

def nothing(): ...

def one(job): ...

def three(job, ctx, more): ...

def keyword(job, ctx, *, more): ...

async def waits(job, ctx): ...

@functools.cache
def decorated(): ...

@functools.cache
async def decorated_waits(): ...

class Called(dict): ...

short = lambda job, ctx: None
shorter = lambda job: None
made = functools.partial(three, more=1)
alias = nothing
NUMBER = 5
NAMES: list[str] = ["a"]
first, second = start, greet

if functools:
    def conditional(job, ctx): ...
try:
    import missing
except ImportError:
    def fallback(job): ...

def replaced(): ...
def replaced(job, ctx): ...
'''


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shopwork"
    folder.mkdir()
    (folder / "hello.py").write_text(MODULE)
    return tmp_path


def mistakes(project, *paths):
    handlers = [Located(path, PLACE) for path in paths]
    return told(check_handlers(handlers, sources=Sources(project)))


@pytest.mark.parametrize(
    "name",
    [
        *("start", "greet", "many", "with_default", "decorated", "decorated_waits", "Called", "short"),
        *("made", "alias", "first", "second", "conditional", "missing", "imported", "replaced"),
    ],
)
def test_a_function_that_takes_a_job_and_a_context_is_accepted_and_so_is_what_cannot_be_told(project, name):
    assert mistakes(project, f"shopwork.hello:{name}") == []


def test_nothing_is_imported(project):
    (project / "shopwork" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (project / "shopwork" / "loud.py").write_text("raise SystemExit('imported')\ndef f(job, ctx): ...\n")
    assert mistakes(project, "shopwork.loud:f", "shopwork.hello:start") == []
    assert not [name for name in sys.modules if name.startswith("shopwork")]


SIGNATURE = "but a handler is called with two, the job and the context"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "shopwork.hello.start",
            "FE201 4:14 `shopwork.hello.start` is no import path: a handler is written `module:function`"
            " = write `shopwork.hello:start`",
        ),
        (
            "shopwork/hello.py:start",
            "FE201 4:14 `shopwork/hello.py:start` is no import path: a handler is written `module:function`"
            " = write `shopwork.hello:start`",
        ),
        (
            "hello world",
            "FE201 4:14 `hello world` is no import path: a handler is written `module:function`"
            " = for example `handlers.hello:start`",
        ),
        (
            "start",
            "FE201 4:14 `start` is no import path: a handler is written `module:function`"
            " = for example `handlers.hello:start`",
        ),
        (
            "shopwork.helo:start",
            "FE202 4:14 there is no module `shopwork.helo` = did you mean `shopwork.hello:start`?",
        ),
        (
            "shpwork.hello:start",
            "FE202 4:14 there is no module `shpwork` = did you mean `shopwork.hello:start`?",
        ),
        (
            "shopwork.entirely.different:start",
            "FE202 4:14 there is no module `shopwork.entirely` in `shopwork`",
        ),
        ("shopwork.hello.start:run", "FE202 4:14 there is no module `shopwork.hello.start`"),
        (
            "shopwork:hello",
            "FE202 4:14 `shopwork` is a folder, not a module, so it has no function `hello`"
            " = name a function of the module, as in `shopwork.hello:start`",
        ),
        (
            "shopwork:begin",
            "FE202 4:14 `shopwork` is a folder, not a module, so it has no function `begin`"
            " = name a module in it, as in `shopwork.hello:begin`",
        ),
        (
            "shopwork.hello:strat",
            "FE204 4:14 there is no function `strat` in shopwork/hello.py"
            " = did you mean `shopwork.hello:start`?",
        ),
        (
            "shopwork.hello:NUMBER",
            "FE205 4:14 `NUMBER` in shopwork/hello.py is a value, not a function"
            " = write `def NUMBER(job, ctx):` @ 35:10 defined here",
        ),
        (
            "shopwork.hello:NAMES",
            "FE205 4:14 `NAMES` in shopwork/hello.py is a value, not a function"
            " = write `def NAMES(job, ctx):` @ 36:20 defined here",
        ),
        (
            "shopwork.hello:nothing",
            f"FE206 4:14 `nothing` in shopwork/hello.py takes no arguments, {SIGNATURE}"
            " = write `def nothing(job, ctx):` @ 13:1 defined here",
        ),
        (
            "shopwork.hello:one",
            f"FE206 4:14 `one` in shopwork/hello.py takes one argument, {SIGNATURE}"
            " = write `def one(job, ctx):` @ 15:1 defined here",
        ),
        (
            "shopwork.hello:three",
            f"FE206 4:14 `three` in shopwork/hello.py needs 3 arguments, {SIGNATURE}"
            " = write `def three(job, ctx):` @ 17:1 defined here",
        ),
        (
            "shopwork.hello:keyword",
            "FE206 4:14 `keyword` in shopwork/hello.py cannot be called without the keyword argument `more`,"
            f" {SIGNATURE} = write `def keyword(job, ctx):` @ 19:1 defined here",
        ),
        (
            "shopwork.hello:shorter",
            f"FE206 4:14 `shorter` in shopwork/hello.py takes one argument, {SIGNATURE}"
            " = write `def shorter(job, ctx):` @ 32:11 defined here",
        ),
        (
            "shopwork.hello:fallback",
            f"FE206 4:14 `fallback` in shopwork/hello.py takes one argument, {SIGNATURE}"
            " = write `def fallback(job, ctx):` @ 44:5 defined here",
        ),
    ],
)
def test_a_handler_that_cannot_work_is_told(project, path, expected):
    assert mistakes(project, path) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "def start(job, ctx):\n    yield 1",
        "async def start(job, ctx):\n    for item in job.data:\n        yield item",
        "def start(job, ctx):\n    got = yield from job.data",
        "def start(job):\n    yield",
        "start = lambda job, ctx: (yield)",
    ],
)
def test_a_generator_is_told(project, text):
    (project / "shopwork" / "many.py").write_text(f"{text}\n")
    (found,) = mistakes(project, "shopwork.many:start")
    assert found.startswith(
        "FE209 4:14 `start` in shopwork/many.py has a `yield`, so a call would not run it"
        " = `return` its result, and emit events with `ctx.flow.emit` @ 1:"
    )


@pytest.mark.parametrize(
    ("body", "help"),
    [
        ("...", "write `def Made(job, ctx):`"),
        (
            "def __call__(self, job, ctx): ...",
            "make an object of it in the module, as in `handler = Made()`, and name that",
        ),
    ],
)
def test_a_class_that_takes_no_arguments_is_no_handler(project, body, help):
    (project / "shopwork" / "made.py").write_text(f"class Made:\n    {body}\n")
    assert mistakes(project, "shopwork.made:Made") == [
        f"FE206 4:14 `Made` in shopwork/made.py is a class that takes no arguments, {SIGNATURE}"
        f" = {help} @ 1:1 defined here"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "class Made:\n    def __init__(self, job, ctx): ...",
        "class Made:\n    if True:\n        def __new__(cls, job, ctx): ...",
        "class Made:\n    __init__ = print",
        "from dataclasses import dataclass\n@dataclass\nclass Made:\n    job: object\n    ctx: object",
        "class Made(dict): ...",
    ],
)
def test_a_class_that_may_take_a_job_and_a_context_is_accepted(project, text):
    (project / "shopwork" / "made.py").write_text(text)
    assert mistakes(project, "shopwork.made:Made") == []


@pytest.mark.parametrize(
    "body", ["def each():\n        yield 1", "each = lambda: (yield)", "return [item for item in job.data]"]
)
def test_a_yield_of_an_inner_function_is_its_own(project, body):
    (project / "shopwork" / "inner.py").write_text(f"def start(job, ctx):\n    {body}\n")
    assert mistakes(project, "shopwork.inner:start") == []


def test_an_async_handler_is_checked_like_any_other(project):
    (project / "shopwork" / "later.py").write_text("async def start(job): ...\n")
    assert mistakes(project, "shopwork.hello:waits", "shopwork.later:start") == [
        f"FE206 4:14 `start` in shopwork/later.py takes one argument, {SIGNATURE}"
        " = write `async def start(job, ctx):` @ 1:1 defined here"
    ]


def test_a_module_without_a_likely_function_is_told_what_it_has(project):
    (project / "shopwork" / "two.py").write_text(
        "def start(job, ctx): ...\nLIMIT = 3\ndef end(job, ctx): ...\n"
    )
    (project / "shopwork" / "none.py").write_text("LIMIT = 3\n")
    assert mistakes(project, "shopwork.two:run", "shopwork.none:run") == [
        "FE204 4:14 there is no function `run` in shopwork/two.py = its functions are `start`, `end`",
        "FE204 4:14 there is no function `run` in shopwork/none.py = write `def run(job, ctx):`",
    ]


@pytest.mark.parametrize("line", ["from os.path import *", "def __getattr__(name): ..."])
def test_a_module_that_may_have_names_which_do_not_show_is_accepted(project, line):
    (project / "shopwork" / "open.py").write_text(f"{line}\n")
    assert mistakes(project, "shopwork.open:anything") == []


def test_a_module_that_cannot_be_parsed_is_told_with_its_own_line(project):
    (project / "shopwork" / "bad.py").write_text("def start(job, ctx):\n    x = = 1\n")
    assert mistakes(project, "shopwork.bad:start") == [
        "FE203 4:14 module `shopwork.bad` cannot be parsed: invalid syntax (shopwork/bad.py, line 2)"
        " = its functions are looked up once Python can read it @ 2:9 Python stopped here"
    ]


def test_a_module_that_cannot_be_parsed_is_told_once_however_many_steps_name_it(project):
    (project / "shopwork" / "bad.py").write_text("def start(job, ctx):\n    x = = 1\n")
    (project / "shopwork" / "worse.py").write_text("def\n")
    paths = ["shopwork.bad:start", "shopwork.worse:start", "shopwork.bad:end", "shopwork.bad:other"]
    told = mistakes(project, *paths)
    assert [line.partition(" cannot")[0] for line in told] == [
        "FE203 4:14 module `shopwork.bad`",
        "FE203 4:14 module `shopwork.worse`",
    ]


def test_a_module_with_a_doubtful_escape_is_no_reason_to_warn(project):
    (project / "shopwork" / "odd.py").write_text("X = '\\d'\ndef start(job, ctx): ...\n")
    assert mistakes(project, "shopwork.odd:start") == []


@pytest.mark.parametrize("path", ["time:sleep", "math:sqrt", "operator:contains"])
def test_a_module_without_source_cannot_be_told(project, path):
    assert mistakes(project, path) == []


def test_installed_modules_are_found_after_the_project_s(project):
    assert mistakes(project, "json.decoder:scanstring") == []
    (project / "json").mkdir()
    (project / "json" / "__init__.py").write_text("")
    (project / "json" / "decoder.py").write_text("def other(job, ctx): ...\n")
    assert mistakes(project, "json.decoder:other") == []


def test_a_package_is_a_module_too(project):
    (project / "shopwork" / "__init__.py").write_text("def start(job, ctx): ...\n")
    assert mistakes(project, "shopwork:start") == []


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a:b", ("a", "b")),
        ("a.b.c:d", ("a.b.c", "d")),
        ("a", None),
        ("a:", None),
        (":b", None),
        ("a:b.c", None),
        ("a..b:c", None),
        ("a-b:c", None),
        ("a:b:c", None),
        ("", None),
    ],
)
def test_an_import_path_is_a_module_and_a_function(path, parts):
    assert split_import_path(path) == parts
