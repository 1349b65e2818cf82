"""The project's modules as this process has loaded them, and loading them anew.

Theory of operation:

1. A finder in front of the others gives the project's modules a loader that reads the source and
   nothing else. Python knows cached bytecode by the source's size and its time in whole seconds
   (importlib, `SourceLoader.path_stats`), so of two saves within a second it could bring the first.
2. The loader notes what it ran: a digest of the text, and what its import statements name. Whether
   a module is still what its file says is thus known by content, not by time.
3. A module is stale when its file says something else now, when it imports a stale one, wherever in
   its text, or when its package is stale. Nothing else is loaded anew.
4. Stale modules leave `sys.modules` together and are imported as if for the first time, those first
   that others import. The old module objects stay as they are: a handler that runs goes on with
   them. Where anything goes wrong all of them are put back. A module that imports a broken one inside
   of a function is itself taken for broken, since nobody would be told before that function runs.
5. `from package import module` is content with the package's attribute. It is replaced by the import
   itself, so that running code that goes through it always finds a whole module; only where modules
   import each other in a circle it is taken away before.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import CodeType
from typing import Final

from engine.compile.link import Handler, link
from engine.errors import HandlerError

from .finder import SourceFinder, SourceLoader
from .imports import imports_of

#: Functions that are kept in case new code lacks them, at most.
_KEPT: Final = 1_000

#: Folders below the project with files of others, which nobody edits while a flow is made.
FOREIGN: Final = frozenset({"site-packages", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was run as a module.

    Attributes:
        name: Its full name.
        path: The file.
        digest: Of its text.
        imports: The modules that its import statements name, with their packages.
    """

    name: str
    path: str
    digest: bytes
    imports: frozenset[str]


def digest_of(data: bytes) -> bytes:
    """What tells two texts apart."""
    return hashlib.blake2b(data, digest_size=16).digest()


class Modules:
    """The project's modules in this process."""

    def __init__(self, root: Path) -> None:
        """Know nothing yet.

        Args:
            root: The project's folder; what is below it is the project's own, but for hidden folders
                and installed packages.
        """
        self._loaded: dict[str, Loaded] = {}
        self._root = str(root.resolve())
        self._lock = threading.RLock()
        self._failed: dict[str, BaseException] = {}
        self._kept: OrderedDict[str, Handler] = OrderedDict()
        self._finder = SourceFinder(owns=self.owns, run=self._run)

    @contextmanager
    def watched(self) -> Iterator[Modules]:
        """Take note of the project's modules that are imported inside the block."""
        sys.meta_path.insert(0, self._finder)
        try:
            yield self
        finally:
            sys.meta_path.remove(self._finder)

    def owns(self, name: str, path: str) -> bool:
        """Whether a module is the project's own; the engine's are not, also in a checkout of it."""
        if name.partition(".")[0] == "engine" or not path.startswith(self._root + os.sep):
            return False
        parts = path[len(self._root) + 1 :].split(os.sep)
        return not any(part.startswith(".") or part in FOREIGN for part in parts)

    def _run(self, name: str, loader: SourceLoader) -> CodeType:
        """Compile a module and note what it says; where it has failed since a renewal began, fail alike."""
        if name in self._failed:
            raise self._failed[name]
        data = loader.get_data(loader.path)
        tree = ast.parse(data, filename=loader.path)
        code: CodeType = loader.source_to_code(tree, loader.path)
        imports = imports_of(tree, name, is_package=loader.is_package(name))
        self._loaded[name] = Loaded(name, loader.path, digest_of(data), imports)
        return code

    def link(self, path: str) -> Handler:
        """Import the function that an import path names; where the code lacks it now, the last there was.

        For runs on older versions: a step that was taken out of the files can still be done.

        Raises:
            HandlerError: As `compile.link`, where this process has never had such a function.
        """
        with self._lock:
            try:
                handler = link(path)
            except HandlerError:
                if path not in self._kept:
                    raise
                return self._kept[path]
            self.keep({path: handler})
            return handler

    def notes(self) -> list[Loaded]:
        """What was run of the modules that are there."""
        # A copy first, since a handler may import a module while this is looked at.
        return [it for it in list(self._loaded.values()) if it.name in sys.modules]

    def stale(self, digests: Callable[[str], bytes | None]) -> frozenset[str]:
        """The names of the modules that are no longer what the files say.

        Args:
            digests: Answers the digest of a file's text, None where there is no such file.
        """
        loaded = {it.name: it for it in self.notes()}
        stale = {name for name, it in loaded.items() if digests(it.path) != it.digest}
        stale |= {name for name in _folders(loaded) if digests(_init_of(name)) is not None}
        while True:
            more = {
                name
                for name, it in loaded.items()
                if name not in stale and not stale.isdisjoint({*it.imports, *_packages_of(name)})
            }
            if not more:
                return frozenset(stale)
            stale |= more

    @contextmanager
    def renewing(self, stale: Iterable[str]) -> Iterator[Renewal]:
        """Load modules anew, and put all back as it was unless that is kept.

        What cannot be imported is left out: who needs it is told when it imports it.
        """
        with self._lock:
            renewal = Renewal(self._loaded)
            self._loaded = dict(self._loaded)
            self._failed = {}
            try:
                self._load_anew(list(stale))
                yield renewal
            finally:
                if not renewal.is_kept:
                    self._loaded = renewal.put_back(self._loaded)
                self._failed = {}

    def keep(self, handlers: Mapping[str, Handler]) -> None:
        """Keep functions by import path, in case later code lacks them; the last 1,000 of them."""
        with self._lock:
            for path, handler in handlers.items():
                self._kept[path] = handler
                self._kept.move_to_end(path)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def _load_anew(self, stale: Sequence[str]) -> None:
        needs = {name: self._needs(name, stale) for name in stale}
        order, is_circular = _in_order(needs)
        for name in stale:
            sys.modules.pop(name, None)
            self._loaded.pop(name, None)
            if is_circular:
                _unbind(name)
        importlib.invalidate_caches()
        for name in order:
            try:
                importlib.import_module(name)
            except (Exception, SystemExit) as error:
                self._fail(name, error)
        self._fail_dependents(needs)

    def _needs(self, name: str, stale: Sequence[str]) -> set[str]:
        """Those stale modules that a module's file says it imports, and its packages."""
        imports = self._loaded[name].imports if name in self._loaded else frozenset[str]()
        with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError, KeyError):
            path = self._loaded[name].path
            tree = ast.parse(Path(path).read_bytes())
            imports = imports_of(tree, name, is_package=os.path.basename(path) == "__init__.py")
        return ({*imports, *_packages_of(name)} & {*stale}) - {name}

    def _fail(self, name: str, error: BaseException) -> None:
        self._failed.setdefault(name, error)
        sys.modules.pop(name, None)
        self._loaded.pop(name, None)
        _unbind(name)

    def _fail_dependents(self, needs: Mapping[str, AbstractSet[str]]) -> None:
        """Fail those as well that import a broken module, if only once one of their functions is called.

        A module that is not there any more is none that is broken.
        """
        while True:
            broken = {name for name, error in self._failed.items() if not _is_gone(name, error)}
            more = {name: broken & needs[name] for name in needs.keys() - self._failed.keys()}
            if not any(more.values()):
                return
            for name, imported in more.items():
                if imported:
                    self._fail(name, self._failed[min(imported)])


class Renewal:
    """What was loaded before, until it is known whether the new is kept.

    Attributes:
        is_kept: Whether the new modules stay.
    """

    def __init__(self, before: Mapping[str, Loaded]) -> None:
        """Remember the modules of these names."""
        self.is_kept = False
        self._before = dict(before)
        packages = {package for name in before for package in _packages_of(name)}
        self._modules = {name: sys.modules[name] for name in {*before, *packages} if name in sys.modules}
        self._attributes = {name: dict(vars(self._modules[name])) for name in packages & self._modules.keys()}

    def put_back(self, loaded: Mapping[str, Loaded]) -> dict[str, Loaded]:
        """Put the modules back that were there before, and take away those that have come since.

        Args:
            loaded: What is loaded now.

        Returns:
            What is loaded then.
        """
        for name in loaded.keys() - self._modules.keys():
            sys.modules.pop(name, None)
        sys.modules.update(self._modules)
        for name in loaded.keys() | self._modules.keys():
            self._bind_again(name)
        return self._before

    def _bind_again(self, name: str) -> None:
        """Let a package have again what it had under the name of a module in it: perhaps not the module."""
        package, _, last = name.rpartition(".")
        if package in self._attributes:
            attributes, before = vars(self._modules[package]), self._attributes[package]
            if last in before:
                attributes[last] = before[last]
            else:
                attributes.pop(last, None)


def _in_order(needs: Mapping[str, AbstractSet[str]]) -> tuple[list[str], bool]:
    """Modules, each after those that it needs; and whether some need each other."""
    try:
        return list(TopologicalSorter(needs).static_order()), False
    except CycleError:
        return list(needs), True


def _is_gone(name: str, error: BaseException) -> bool:
    return isinstance(error, ModuleNotFoundError) and error.name == name


def _packages_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _folders(loaded: Mapping[str, Loaded]) -> Iterator[str]:
    """The packages of loaded modules that are mere folders."""
    packages = {package for name in loaded for package in _packages_of(name)}
    for name in packages - loaded.keys():
        if name in sys.modules and getattr(sys.modules[name], "__path__", None):
            yield name


def _init_of(package: str) -> str:
    """The file that would make a folder a package with a text of its own."""
    return os.path.join(next(iter(sys.modules[package].__path__), ""), "__init__.py")


def _unbind(name: str) -> None:
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(last, None)
