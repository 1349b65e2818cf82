"""What a module's import statements name."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from engine.reload.imports import imports_of


def imports(text: str, name: str = "handlers.order", *, is_package: bool = False) -> set[str]:
    return set(imports_of(ast.parse(dedent(text)), name, is_package=is_package))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("import a", {"a"}),
        ("import a.b.c", {"a", "a.b", "a.b.c"}),
        ("import a as x, b.c", {"a", "b", "b.c"}),
        ("from a import b", {"a", "a.b"}),
        ("from a.b import c, d", {"a", "a.b", "a.b.c", "a.b.d"}),
        ("from a import *", {"a", "a.*"}),
        ("from . import prices", {"handlers", "handlers.prices"}),
        ("from .prices import vat", {"handlers", "handlers.prices", "handlers.prices.vat"}),
        ("from ..x import y", set()),
        ("", set()),
    ],
)
def test_a_statement_names_modules_and_their_packages(text: str, named: set[str]) -> None:
    assert imports(text) == named


def test_a_package_s_relative_imports_begin_in_itself() -> None:
    named = imports("from .prices import vat", "handlers", is_package=True)

    assert named == {"handlers", "handlers.prices", "handlers.prices.vat"}


def test_a_module_at_the_top_has_nothing_to_be_relative_to() -> None:
    assert imports("from . import x", "order") == set()


def test_imports_count_wherever_they_stand() -> None:
    text = """
        try:
            import a
        except ImportError:
            import b

        def f():
            import c

        class D:
            import d

        async def g():
            async with x:
                import e
        """

    assert imports(text) == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_see_does_not_count(test: str) -> None:
    assert imports(f"if {test}:\n    import a\nelse:\n    import b") == {"b"}
