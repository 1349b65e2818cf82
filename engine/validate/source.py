"""The user's modules as text: where they are, and what they define, without importing them.

Looks modules up as the import system would with the project's folder first on its
path, but never runs their code: not even a parent package's, which
`importlib.util.find_spec` would import for a dotted name.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

#: What a module binds a name to; the last one counts.
Binding = ast.stmt | ast.expr


@dataclass(frozen=True, slots=True)
class Missing:
    """No such module.

    Attributes:
        name: The part that is not there, with all before it.
        folders: Where it was looked for, if in particular folders.
    """

    name: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A module that is no valid Python.

    Attributes:
        path: The file.
        text: What stands in it, or "" if it cannot be read.
        reason: What is wrong.
        line: Where, from 1.
        column: Where in that line, from 1.
    """

    path: Path
    text: str
    reason: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A package without a module of its own: a folder."""

    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """A module that is there, but has no source to look into."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module that could be read.

    Attributes:
        path: The file.
        bindings: What each of its names is bound to.
        is_open: Whether it may have names that cannot be seen in its source.
    """

    path: Path
    bindings: dict[str, Binding]
    is_open: bool


Found = Missing | Unparsable | Folder | Opaque | Module


class Sources:
    """Finds and reads modules, each once."""

    def __init__(self, root: Path) -> None:
        """Nothing has been looked for yet; modules are looked for in `root` first."""
        self._root = str(root)
        self._parsed: dict[Path, tuple[bytes, Found]] = {}
        self._parsed_before: dict[Path, tuple[bytes, Found]] = {}
        self.look_again()

    def look_again(self) -> None:
        """Find and read modules anew; one whose text is the same is not parsed again."""
        self._found: dict[str, Found] = {}
        self._tops: dict[str, ModuleSpec | None] = {}
        self._parsed, self._parsed_before = {}, self._parsed
        # Finders remember what is in a folder, and a file may have come since.
        importlib.invalidate_caches()

    def find(self, name: str) -> Found:
        """What is known of a module of this name."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Found:
        parts = name.split(".")
        if parts[0] not in self._tops:
            self._tops[parts[0]] = self._top_level(parts[0])
        spec = self._tops[parts[0]]
        if spec is None:
            return Missing(parts[0], (self._root,))
        for number, part in enumerate(parts[1:], start=2):
            folders = list(spec.submodule_search_locations or ())
            # The last part alone: for a dotted name the finder wants the parent to be imported.
            spec = PathFinder.find_spec(part, folders) if folders else None
            if spec is None:
                return Missing(".".join(parts[:number]), tuple(folders))
        return self._look_into(spec)

    def _top_level(self, name: str) -> ModuleSpec | None:
        if spec := own_folder(self._root, name) or PathFinder.find_spec(name, [self._root, *sys.path]):
            return spec
        try:
            # Built-in modules, and what editable installs put in the way.
            return importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None

    def _look_into(self, spec: ModuleSpec) -> Found:
        if spec.origin is None and spec.submodule_search_locations is not None:
            return Folder(tuple(spec.submodule_search_locations))
        if not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
            return Opaque()
        path = Path(spec.origin)
        try:
            source = path.read_bytes()
        except OSError as error:
            return Unparsable(path, "", f"it cannot be read: {error.strerror}", 1, 1)
        text, found = self._parsed_before.get(path, (None, None))
        if found is None or text != source:
            found = _parse(path, source)
        self._parsed[path] = source, found
        return found


def own_folder(root: str, name: str) -> ModuleSpec | None:
    """The project's folder of this name, where an installed package would be preferred to it.

    Python prefers a package with an `__init__.py`, wherever it is, to a folder without one.
    Where nothing installed stands in the way the answer is None.
    """
    folder = Path(root, name)
    if not folder.is_dir():
        return None
    spec = PathFinder.find_spec(name, [root, *sys.path])
    if spec is None or spec.origin is None or Path(spec.origin).parent in (folder, folder.parent):
        return None
    own = ModuleSpec(name, None, is_package=True)
    own.submodule_search_locations = [str(folder)]
    return own


def modules_in(folders: Sequence[str]) -> Iterator[str]:
    """The names of the modules and packages in some folders."""
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)
            is_module = suffix == ".py" or (not suffix and os.path.isdir(os.path.join(folder, name)))
            if is_module and stem.isidentifier():
                yield stem


def _parse(path: Path, source: bytes) -> Found:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, filename=str(path))
    except SyntaxError as error:
        text = source.decode("utf-8", "replace")
        return Unparsable(path, text, error.msg, error.lineno or 1, max(error.offset or 1, 1))
    except (ValueError, RecursionError, MemoryError) as error:
        return Unparsable(path, "", str(error) or "it is nested too deep", 1, 1)
    bindings: dict[str, Binding] = {}
    is_open = any(_bind(statement, bindings) for statement in _top_level_statements(tree.body))
    return Module(path, bindings, is_open or "__getattr__" in bindings)


def _top_level_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run in the module's own scope, in `if`, `try`, `with` and loops too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _top_level_statements(getattr(statement, field, ()))
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _top_level_statements(part.body)


def _bind(statement: ast.stmt, bindings: dict[str, Binding]) -> bool:
    """Note what a statement binds; whether it may bind names that it does not show."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            bindings[statement.name] = statement
        case ast.Import() | ast.ImportFrom():
            for alias in statement.names:
                bindings[alias.asname or alias.name.partition(".")[0]] = statement
            return any(alias.name == "*" for alias in statement.names)
        case ast.Assign():
            for target in statement.targets:
                _bind_target(target, statement.value, statement, bindings)
        case ast.AnnAssign() if statement.value is not None:
            _bind_target(statement.target, statement.value, statement, bindings)
        case ast.For() | ast.AsyncFor():
            _bind_target(statement.target, None, statement, bindings)
        case ast.With() | ast.AsyncWith():
            for item in statement.items:
                if item.optional_vars is not None:
                    _bind_target(item.optional_vars, None, statement, bindings)
    return False


def _bind_target(
    target: ast.expr, value: ast.expr | None, statement: ast.stmt, bindings: dict[str, Binding]
) -> None:
    if isinstance(target, ast.Name):
        bindings[target.id] = value or statement
        return
    for part in ast.walk(target):
        if isinstance(part, ast.Name):
            bindings[part.id] = statement
