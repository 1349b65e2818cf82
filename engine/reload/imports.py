"""What a module's import statements name; pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import resolve_name


def imports_of(tree: ast.Module, name: str, *, is_package: bool) -> frozenset[str]:
    """The modules that a module may import, wherever in its text, with the packages that they are in.

    A name after `from … import` may be a module or something in one: both are answered. What
    stands under `if TYPE_CHECKING:` is never run, and not counted.

    Args:
        tree: The module's text.
        name: Its full name, which relative imports begin from.
        is_package: Whether it is an `__init__.py`.
    """
    package = name if is_package else name.rpartition(".")[0]
    found: set[str] = set()
    for node in _run_nodes(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import from beyond the top fails when it is run.
            with suppress(ImportError):
                base = resolve_name("." * node.level + (node.module or ""), package)
                found.add(base)
                found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(_with_packages(found))


def _run_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _with_packages(names: set[str]) -> Iterator[str]:
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            yield ".".join(parts[:count])
