"""Loading a project's modules anew: what has changed and what depends on it, whole or not at all."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from engine.compile.link import link
from engine.errors import HandlerError

from .conftest import Code


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def load(*names: str) -> dict[str, ModuleType]:
    return {name: module(name) for name in names}


def unchanged(before: dict[str, ModuleType]) -> set[str]:
    return {name for name, one in before.items() if sys.modules.get(name) is one}


def test_a_module_whose_text_has_changed_is_loaded_anew(code: Code) -> None:
    code.write("a.py", "X = 1")
    assert module("a").X == 1

    code.write("a.py", "X = 2")

    assert code.renew() == {"a"}
    assert module("a").X == 2
    assert code.stale() == set()


def test_two_saves_of_one_size_and_time_are_told_apart_even_with_bytecode_of_the_first(code: Code) -> None:
    path = code.write("a.py", "X = 1")
    py_compile.compile(str(path))
    assert module("a").X == 1

    code.write("a.py", "X = 2")

    assert code.renew() == {"a"}
    assert module("a").X == 2


def test_no_bytecode_is_left_in_the_project(code: Code) -> None:
    code.write("a.py", "X = 1")
    module("a")

    assert not (code.root / "__pycache__").exists()


def test_what_was_saved_without_a_change_stays(code: Code) -> None:
    path = code.write("a.py", "X = 1")
    module("a")

    path.touch()
    path.write_text(path.read_text())

    assert code.stale() == set()


def test_those_that_depend_on_a_module_are_loaded_with_it_and_no_others(code: Code) -> None:
    code.write("low.py", "X = 1")
    code.write("middle.py", "from low import X")
    code.write("high.py", "import middle")
    code.write("aside.py", "import json")
    before = load("low", "middle", "high", "aside")

    code.write("low.py", "X = 2")

    assert code.renew() == {"low", "middle", "high"}
    assert module("high").middle.X == 2
    assert unchanged(before) == {"aside"}


def test_a_module_that_imports_another_inside_of_a_function_depends_on_it(code: Code) -> None:
    code.write("low.py", "X = 1")
    code.write("high.py", "def x():\n    import low\n    return low.X\nX = x()")
    load("low", "high")

    code.write("low.py", "X = 2")

    assert code.renew() == {"low", "high"}
    assert module("high").X == 2


@pytest.mark.parametrize("statement", ["from handlers import prices", "import handlers.prices as prices"])
@pytest.mark.parametrize("init", [None, "", "COUNT = 0"])
def test_a_module_of_a_package_is_renewed_for_those_that_have_it_from_there(
    code: Code, statement: str, init: str | None
) -> None:
    if init is not None:
        code.write("handlers/__init__.py", init)
    code.write("handlers/prices.py", "VAT = 19")
    code.write("handlers/order.py", f"{statement}\nVAT = prices.VAT")
    code.write("handlers/mail.py", "")
    before = load("handlers", "handlers.prices", "handlers.order", "handlers.mail")

    code.write("handlers/prices.py", "VAT = 20")

    assert code.renew() == {"handlers.prices", "handlers.order"}
    assert module("handlers.order").VAT == 20
    assert module("handlers").prices.VAT == 20
    assert unchanged(before) == {"handlers", "handlers.mail"}


def test_a_package_s_modules_are_loaded_with_it(code: Code) -> None:
    code.write("handlers/__init__.py", "VAT = 19")
    code.write("handlers/order.py", "from . import VAT")
    load("handlers.order")

    code.write("handlers/__init__.py", "VAT = 20")

    assert code.renew() == {"handlers", "handlers.order"}
    assert module("handlers.order").VAT == 20


def test_a_folder_that_becomes_a_package_is_loaded_as_one(code: Code) -> None:
    code.write("handlers/order.py", "X = 1")
    load("handlers.order")

    code.write("handlers/__init__.py", "VAT = 20")

    assert code.renew() == {"handlers", "handlers.order"}
    assert module("handlers").VAT == 20
    assert module("handlers").order is module("handlers.order")


def test_a_package_that_becomes_a_folder_is_loaded_as_one(code: Code) -> None:
    init = code.write("handlers/__init__.py", "VAT = 20")
    code.write("handlers/order.py", "X = 1")
    load("handlers.order")

    init.unlink()

    assert code.renew() == {"handlers", "handlers.order"}
    assert not hasattr(module("handlers"), "VAT")
    assert module("handlers.order").X == 1


def test_modules_that_import_each_other_are_loaded_anew_together(code: Code) -> None:
    code.write("handlers/a.py", "from handlers import b\nX = 1\ndef both():\n    return X + b.Y")
    code.write("handlers/b.py", "from handlers import a\nY = 1\ndef both():\n    return a.X + Y")
    assert module("handlers.a").both() == 2

    code.write("handlers/b.py", "from handlers import a\nY = 10\ndef both():\n    return a.X + Y")

    assert code.renew() == {"handlers.a", "handlers.b"}
    assert module("handlers.a").both() == 11
    assert module("handlers.b").both() == 11
    assert module("handlers.a").b is module("handlers.b")


def test_what_a_change_makes_a_module_import_is_loaded_before_it(code: Code) -> None:
    code.write("handlers/a.py", "X = 1")
    code.write("handlers/b.py", "Y = 1")
    load("handlers.a", "handlers.b")

    code.write("handlers/a.py", "from handlers import b\nX = b.Y")
    code.write("handlers/b.py", "Y = 2")
    code.renew()

    assert module("handlers.a").X == 2


def test_where_the_new_is_not_kept_everything_is_as_it_was(code: Code) -> None:
    code.write("handlers/low.py", "X = 1")
    code.write("handlers/high.py", "from handlers import low\nX = low.X")
    before = load("handlers", "handlers.low", "handlers.high")

    code.write("handlers/low.py", "from handlers import extra\nX = 2")
    code.write("handlers/extra.py", "")
    code.renew(keep=False)

    assert unchanged(before) == {*before}
    assert module("handlers").low is before["handlers.low"]
    assert module("handlers").high.X == 1
    assert "handlers.extra" not in sys.modules
    assert not hasattr(module("handlers"), "extra")
    assert code.stale() == {"handlers.low", "handlers.high"}


def test_where_loading_fails_those_that_need_it_fail_the_same_way_and_it_ran_once(code: Code) -> None:
    code.write("handlers/low.py", "X = 1")
    code.write("handlers/high.py", "from handlers import low")
    load("handlers.low", "handlers.high")
    marks = code.root / "marks"

    code.write(
        "handlers/low.py",
        f"with open({str(marks)!r}, 'a') as f:\n    f.write('x')\nraise ValueError('no such price')",
    )
    with code.modules.renewing(code.stale()):
        with pytest.raises(HandlerError, match="no such price"):
            code.modules.link_new("handlers.high:f")
        with pytest.raises(HandlerError, match="no such price"):
            code.modules.link_new("handlers.low:f")

    assert marks.read_text() == "x"
    assert module("handlers").low.X == 1


@pytest.mark.parametrize("back", ["", "from handlers import high\n"])
def test_a_module_that_imports_a_broken_one_inside_of_a_function_is_broken_too(code: Code, back: str) -> None:
    code.write("handlers/low.py", f"{back}X = 1")
    code.write("handlers/high.py", "def f(job, ctx):\n    from handlers import low\n    return low.X")
    load("handlers.low", "handlers.high")
    high = link("handlers.high:f")

    code.write("handlers/low.py", f"{back}X = 1 / 0")
    with code.modules.renewing(code.stale()), pytest.raises(HandlerError, match=r"division .*low\.py"):
        code.modules.link_new("handlers.high:f")

    assert link("handlers.high:f") is high
    assert high(None, None) == 1


def test_a_module_that_imports_inside_of_a_function_one_that_is_gone_is_not_broken(code: Code) -> None:
    path = code.write("handlers/low.py", "X = 1")
    code.write(
        "handlers/high.py",
        "def x():\n    try:\n        from handlers import low\n    except ImportError:\n        return 0\n"
        "    return low.X\nX = x()",
    )
    assert module("handlers.high").X == 1

    path.unlink()

    assert code.renew() == {"handlers.low", "handlers.high"}
    assert module("handlers.high").X == 0


@pytest.mark.parametrize("kind", ["GeneratorExit", "SystemExit", "BaseException", "asyncio.CancelledError"])
def test_whatever_a_module_raises_it_is_broken(code: Code, kind: str) -> None:
    code.write("a.py", "def f(job, ctx):\n    return 1")
    module("a")

    code.write("a.py", f"import asyncio\nraise {kind}('no')")
    with code.modules.renewing(code.stale()), pytest.raises(HandlerError, match=kind.rpartition(".")[2]):
        code.modules.link_new("a:f")

    assert module("a").f(None, None) == 1


def test_an_exception_that_cannot_be_told_is_named(code: Code) -> None:
    code.write("a.py", "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\nraise Mute")

    with pytest.raises(HandlerError, match="raised Mute"):
        code.modules.link("a:f")


def test_a_module_that_is_a_pipe_now_is_not_waited_for(code: Code) -> None:
    path = code.write("a.py", "X = 1")
    module("a")
    path.unlink()
    os.mkfifo(path)

    assert code.renew(keep=False) == {"a"}


def test_a_broken_module_that_nobody_needs_any_more_is_no_hindrance(code: Code) -> None:
    code.write("old.py", "X = 1")
    code.write("new.py", "X = 1")
    load("old", "new")

    code.write("old.py", "X = (")
    code.write("new.py", "X = 2")

    assert code.renew() == {"old", "new"}
    assert "old" not in sys.modules
    assert module("new").X == 2
    assert code.stale() == set()


def test_a_module_whose_file_is_gone_is_gone(code: Code) -> None:
    path = code.write("handlers/old.py", "X = 1")
    code.write("handlers/user.py", "from handlers import old")
    load("handlers.old", "handlers.user")

    path.unlink()
    with code.modules.renewing(code.stale()):
        with pytest.raises(HandlerError, match=r"cannot import name 'old'|there is no module"):
            code.modules.link_new("handlers.user:f")
        with pytest.raises(HandlerError, match=r"there is no module `handlers\.old`"):
            code.modules.link_new("handlers.old:f")

    assert module("handlers.user").old.X == 1


def test_a_module_may_move_into_a_folder_of_its_name(code: Code) -> None:
    path = code.write("handlers/order.py", "X = 1")
    load("handlers.order")

    path.unlink()
    code.write("handlers/order/__init__.py", "X = 2")

    assert code.renew() == {"handlers.order"}
    assert module("handlers.order").X == 2


def test_code_that_runs_meanwhile_finds_whole_modules_in_their_package(code: Code) -> None:
    code.write("handlers/low.py", "X = 1")
    code.write("handlers/high.py", "import handlers.low\ndef x():\n    return handlers.low.X")
    load("handlers.low", "handlers.high")
    old = module("handlers.high")
    is_over, found, gaps = threading.Event(), set(), []

    def go_on() -> None:
        while not is_over.wait(0.0002):
            try:
                found.add(old.x())
            except AttributeError as error:
                gaps.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    for number in range(2, 30):
        code.write("handlers/low.py", f"X = {number}")
        code.renew(keep=bool(number % 3))
    is_over.set()
    thread.join()

    assert not gaps
    assert found <= {*range(1, 30)}


def test_a_function_that_the_code_lacks_now_is_the_last_one_that_there_was(code: Code) -> None:
    code.write("a.py", "def old(job, ctx):\n    return 1\n\n\ndef both(job, ctx):\n    return 1\n")
    paths = ("a:old", "a:both")
    code.modules.keep({path: code.modules.link(path) for path in paths})

    code.write("a.py", "def both(job, ctx):\n    return 2\n")
    code.renew()

    assert code.modules.link("a:old")(None, None) == 1
    assert code.modules.link("a:both")(None, None) == 2
    with pytest.raises(HandlerError, match="has no function `never`"):
        code.modules.link("a:never")


def test_a_function_that_was_only_asked_for_is_kept_too(code: Code) -> None:
    code.write("a.py", "def old(job, ctx):\n    return 1\n")
    asked = code.modules.link("a:old")

    code.write("a.py", "")
    code.renew()

    assert code.modules.link("a:old") is asked


def test_a_function_is_kept_although_its_module_is_broken_now(code: Code) -> None:
    code.write("a.py", "def old(job, ctx):\n    return 1\n")
    code.modules.keep({"a:old": code.modules.link("a:old")})

    code.write("a.py", "def old(")
    code.renew()

    assert code.modules.link("a:old")(None, None) == 1


@pytest.mark.parametrize("folder", [".venv/lib/site-packages", "venv/lib/site-packages", ".hidden", "engine"])
def test_installed_modules_hidden_ones_and_the_engine_s_are_not_the_project_s(
    code: Code, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = code.write(f"{folder}/foreign_thing.py", "X = 1")
    name = "engine.foreign_thing" if folder == "engine" else "foreign_thing"

    assert not code.modules.owns(name, str(path))


def test_the_project_s_own_modules_are_its_own_wherever_they_are_below_it(code: Code) -> None:
    assert code.modules.owns("a", str(code.root / "a.py"))
    assert code.modules.owns("deep.er.a", str(code.root / "deep/er/a.py"))
    assert not code.modules.owns("a", str(Path(str(code.root) + "-other") / "a.py"))


def test_what_a_package_calls_like_its_module_is_put_back_too(code: Code) -> None:
    code.write("handlers/__init__.py", "extra = 1")
    code.write("handlers/order.py", "def order(job, ctx):\n    return 1\n")
    code.write("handlers/user.py", "import handlers.order")
    load("handlers.user")
    # As `from .order import order` in the package does, which then would be loaded anew as well.
    vars(module("handlers"))["order"] = function = module("handlers.order").order

    code.write("handlers/order.py", "from handlers import extra\nimport handlers.extra\nraise ValueError")
    code.write("handlers/extra.py", "")
    code.renew(keep=False)

    assert module("handlers").order is function
    assert module("handlers").extra == 1


def test_a_module_that_came_past_the_finder_is_stale(code: Code) -> None:
    path = code.write("handlers/order.py", "X = 1")
    before = sys.meta_path[0]
    sys.meta_path.remove(before)
    try:
        module("handlers.order")
    finally:
        sys.meta_path.insert(0, before)

    assert [it.path for it in code.modules.notes()] == [str(path)]
    assert code.renew() == {"handlers.order"}
    assert code.stale() == set()


def test_handlers_that_import_in_a_function_meanwhile_get_whole_modules(code: Code) -> None:
    code.write("handlers/low.py", "X = 1")
    code.write(
        "handlers/high.py",
        "def x():\n    from handlers import low\n    import handlers.low\n    return low.X",
    )
    load("handlers.low", "handlers.high")
    old = module("handlers.high")
    is_over, found, faults = threading.Event(), set(), []

    def go_on() -> None:
        while not is_over.wait(0.002):
            try:
                found.add(old.x())
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    broken = (
        "X = (",
        "X = 1 / 0",
        "import time\ntime.sleep(0.01)\nraise ValueError",
        "from handlers import none",
    )
    for number in range(40):
        code.write("handlers/low.py", broken[number % 4])
        code.renew(keep=False)
        code.write("handlers/low.py", f"X = {number}")
        code.renew()
    is_over.set()
    for thread in threads:
        thread.join()

    assert not faults
    assert found <= {1, *range(40)}
