"""Import paths into functions, in a project of the test's own."""

from __future__ import annotations

import itertools
import sys

import pytest

from engine.compile.link import is_async, link, put_project_first
from engine.errors import HandlerError
from engine.validate.source import Module, Sources

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of a name that no other test has; returns its name."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    put_project_first(tmp_path)

    def write(text):
        name = f"linked_module_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(path):
    with pytest.raises(HandlerError) as caught:
        link(path)
    return caught.value


def test_a_function_is_imported(module):
    name = module("def start(job, ctx): return job + ctx\n")
    assert link(f"{name}:start")(1, 2) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "handler `{path}`: module `{name}` has no function `start`"),
        ("start = 5", "handler `{path}` is a value, not a function; write `def start(job, ctx):`"),
        (
            "def start(job, ctx): yield",
            "handler `{path}` has a `yield`, so a call would not run it; "
            "`return` its result, and emit events with `ctx.flow.emit`",
        ),
        (
            "async def start(job, ctx): yield",
            "handler `{path}` has a `yield`, so a call would not run it; "
            "`return` its result, and emit events with `ctx.flow.emit`",
        ),
        (
            "async def start(job): ...",
            "handler `{path}` cannot be called with a job and a context; write `async def start(job, ctx):`",
        ),
        (
            "def start(job): ...",
            "handler `{path}` cannot be called with a job and a context; write `def start(job, ctx):`",
        ),
        (
            "class start:\n    def __init__(self): ...",
            "handler `{path}` cannot be called with a job and a context; write `def start(job, ctx):`",
        ),
    ],
)
def test_what_is_no_handler_is_refused(module, text, expected):
    name = module(text)
    path = f"{name}:start"
    error = refusal(path)
    assert str(error) == expected.format(path=path, name=name)
    assert error.__cause__ is None


@pytest.mark.parametrize("text", ["start = print", "import functools\nstart = functools.partial(print, 1)"])
def test_what_can_be_called_with_two_is_a_handler(module, text):
    assert callable(link(f"{module(text)}:start"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def start(job, ctx): ...", False),
        ("async def start(job, ctx): ...", True),
        ("import functools\nasync def f(a, job, ctx): ...\nstart = functools.partial(f, 1)", True),
        ("class Work:\n    async def __call__(self, job, ctx): ...\nstart = Work()", True),
        ("class Work:\n    async def do(self, job, ctx): ...\nstart = Work().do", True),
        ("class Work:\n    def __call__(self, job, ctx): ...\nstart = Work()", False),
        ("class start:\n    def __init__(self, job, ctx): ...\n    async def __call__(self): ...", False),
        ("start = print", False),
    ],
)
def test_a_handler_is_async_if_its_call_is_to_be_awaited(module, text, expected):
    assert is_async(link(f"{module(text)}:start")) is expected


def test_what_an_import_raises_is_told_with_the_last_line_of_the_user(module, tmp_path):
    inner = module("def fail():\n    raise ValueError('no\\nreally')\n")
    name = module(f"import {inner}\n\n{inner}.fail()\n")
    error = refusal(f"{name}:start")
    assert str(error) == (
        f"handler `{name}:start`: importing `{name}` raised ValueError: no ({tmp_path / inner}.py, line 2)"
    )
    assert isinstance(error.__cause__, ValueError)


def test_a_module_that_leaves_is_told(module, tmp_path):
    name = module("import sys\nsys.exit(3)\n")
    assert str(refusal(f"{name}:start")) == (
        f"handler `{name}:start`: importing `{name}` raised SystemExit: 3 ({tmp_path / name}.py, line 2)"
    )


def test_a_module_that_is_no_python_is_told(module, tmp_path):
    name = module("def start(:\n")
    assert str(refusal(f"{name}:start")) == (
        f"handler `{name}:start`: importing `{name}` raised SyntaxError: invalid syntax"
        f" ({tmp_path / name}.py, line 1)"
    )


def test_a_module_that_is_not_there_is_told(module):
    assert str(refusal("not_there.at_all:start")) == (
        "handler `not_there.at_all:start`: there is no module `not_there`"
    )
    name = module("import not_there\n")
    assert "raised ModuleNotFoundError: No module named 'not_there'" in str(refusal(f"{name}:start"))


def test_the_project_comes_first_and_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["/elsewhere", str(tmp_path)])
    put_project_first(tmp_path)
    put_project_first(tmp_path)
    assert sys.path == [str(tmp_path), "/elsewhere"]


def test_the_projects_folder_wins_over_an_installed_package(module, tmp_path, monkeypatch):
    package = module("").replace("linked_module", "linked_package")
    own, installed = tmp_path / package, tmp_path / "site-packages" / package
    for folder in (own, installed):
        folder.mkdir(parents=True)
    (own / "shop.py").write_text("def start(job, ctx): return 'own'\n")
    (installed / "__init__.py").write_text("")
    (installed / "shop.py").write_text("def start(job, ctx): return 'installed'\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed.parent)])

    assert link(f"{package}.shop:start")(None, None) == "own"
    found = Sources(tmp_path).find(f"{package}.shop")
    assert isinstance(found, Module)
    assert found.path == own / "shop.py"
