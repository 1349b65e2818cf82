"""The project's modules as this process has loaded them, and loading them anew.

Theory of operation:

1. A finder in front of the others gives the project's modules a loader that reads the source and
   nothing else. Python knows cached bytecode by the source's size and its time in whole seconds
   (importlib, `SourceLoader.path_stats`), so of two saves within a second it could bring the first.
2. The loader notes what it ran: a digest of the text, and what its import statements name. Whether
   a module is still what its file says is thus known by content, not by time. The note belongs to the
   module, so it is true whichever thread has imported it, and when.
3. A module is stale when its file says something else now, when it imports a stale one, wherever in
   its text, or when its package is stale. Nothing else is loaded anew.
4. Stale modules leave `sys.modules` and are imported as if for the first time, one after the other,
   those first that others import. The old module objects stay as they are: a handler that runs goes on
   with them. One that fails is put back at once, those that depend on it are not tried, and whoever
   links a function by way of it is told why. A module that imports a broken one inside of a function
   depends on it too, since nobody would be told before that function runs.
5. Handlers run meanwhile in other threads, and may import inside of a function. They get whole modules,
   old or new: what is being loaded they wait for, and where that fails they are given the former one.
6. `from package import module` is content with the package's attribute, which the import itself
   replaces. Only where modules import each other in a circle all of them, with their attributes, are
   taken away before.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import linecache
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from engine.compile.link import Handler, link
from engine.errors import HandlerError

from .finder import Loaded, SourceFinder, SourceLoader, note_of
from .imports import imports_of
from .renewal import Renewal, packages_of, unbind

#: Functions that are kept in case new code lacks them, at most.
_KEPT: Final = 1_000

#: Folders below the project with files of others, which nobody edits while a flow is made.
FOREIGN: Final = frozenset({"site-packages", "node_modules", "__pycache__"})


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
        self._root = str(root.resolve())
        self._lock = threading.RLock()
        self._failed: dict[str, BaseException] = {}
        self._kept: OrderedDict[str, Handler] = OrderedDict()
        self._renewal: Renewal | None = None
        self._finder = SourceFinder(owns=self.owns, former=self._former, run=self._run)

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
        if not path.startswith(self._root + os.sep) or not path.endswith(".py"):
            return False
        if name.partition(".")[0] in ("engine", "__main__"):
            return False
        parts = path[len(self._root) + 1 :].split(os.sep)
        return not any(part.startswith(".") or part in FOREIGN for part in parts)

    def _former(self, name: str) -> ModuleType | None:
        """For a thread beside a renewal, the module that there was before.

        Also once it has ended: the thread may have looked for the module while that was not there.
        """
        return None if self._renewal is None or self._is_renewing() else self._renewal.former.get(name)

    def _run(self, name: str, loader: SourceLoader) -> CodeType:
        """Compile a module and note what it says; where this renewal has found it to fail, fail alike."""
        if name in self._failed and self._is_renewing():
            raise self._failed[name]
        data = loader.get_data(loader.path)
        tree = ast.parse(data, filename=loader.path)
        imports = imports_of(tree, name, is_package=loader.is_package(name))
        # Else a traceback would show lines of the text before.
        linecache.checkcache(loader.path)
        loader.note = Loaded(name, loader.path, digest_of(data), imports)
        code: CodeType = loader.source_to_code(tree, loader.path)
        return code

    def _is_renewing(self) -> bool:
        """Whether this thread is the one that loads modules anew."""
        return self._renewal is not None and self._renewal.thread == threading.get_ident()

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

    def link_new(self, path: str) -> Handler:
        """Import the function that an import path names, by way of nothing that has failed in this renewal.

        Raises:
            HandlerError: As `compile.link`.
        """
        return link(path, load=self._load)

    def _load(self, name: str) -> ModuleType:
        if name in self._failed:
            raise self._failed[name]
        module = importlib.import_module(name)
        if self._failed:
            self._refuse_broken(name)
        return module

    def _refuse_broken(self, name: str) -> None:
        """Fail a module that imports a broken one, through whatever others."""
        notes = {it.name: it for it in self.notes()}
        waiting, seen = [name], {name}
        while waiting:
            at = waiting.pop()
            if self._broken_among({at}):
                raise self._failed[at]
            more = {*(notes[at].imports if at in notes else ()), *packages_of(at)} - seen
            seen |= more
            waiting += more

    def notes(self) -> list[Loaded]:
        """What was run as the modules that are there. One that is being run belongs to who runs it."""
        found = []
        for name, module in list(sys.modules.items()):
            spec, path = getattr(module, "__spec__", None), getattr(module, "__file__", None)
            if isinstance(path, str) and self.owns(name, path) and not getattr(spec, "_initializing", False):
                # No note, where the file was gone when this finder was asked, and back for the next one.
                found.append(note_of(module) or Loaded(name, path, b"", frozenset()))
        return found

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
                if name not in stale and not stale.isdisjoint({*it.imports, *packages_of(name)})
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
            renewal = self._renewal = Renewal([it.name for it in self.notes()], self._renewal)
            self._failed = {}
            try:
                self._load_anew(list(stale), renewal)
                yield renewal
            finally:
                if renewal.is_kept:
                    self._drop(self._failed)
                    for name in self._failed:
                        renewal.former.pop(name, None)
                else:
                    renewal.put_back([it.name for it in self.notes()])
                self._failed = {}
                renewal.thread = 0

    def keep(self, handlers: Mapping[str, Handler]) -> None:
        """Keep functions by import path, in case later code lacks them; the last 1,000 of them."""
        with self._lock:
            for path, handler in handlers.items():
                self._kept[path] = handler
                self._kept.move_to_end(path)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def _load_anew(self, stale: Sequence[str], renewal: Renewal) -> None:
        notes = {it.name: it for it in self.notes()}
        needs = {name: _needs(name, notes.get(name), stale) for name in stale}
        order, is_circular = _in_order(needs)
        if is_circular:
            self._drop(stale)
        importlib.invalidate_caches()
        for name in order:
            broken = self._broken_among(needs[name])
            if broken:
                self._failed[name] = self._failed[min(broken)]
                continue
            # Not where it is new already, as in a circle.
            if sys.modules.get(name) is renewal.modules.get(name):
                sys.modules.pop(name, None)
            try:
                importlib.import_module(name)
            except KeyboardInterrupt:
                raise
            # A module may raise anything.
            except BaseException as error:
                self._failed.setdefault(name, error)
                if _is_gone(name, error):
                    self._drop([name])
                else:
                    renewal.put_back_one(name)
        if is_circular:
            self._fail_dependents(needs, renewal)

    def _drop(self, names: Iterable[str]) -> None:
        for name in names:
            sys.modules.pop(name, None)
            unbind(name)

    def _broken_among(self, names: AbstractSet[str]) -> set[str]:
        """Those that have failed. A module that is not there any more is none that is broken."""
        return {name for name in names & self._failed.keys() if not _is_gone(name, self._failed[name])}

    def _fail_dependents(self, needs: Mapping[str, AbstractSet[str]], renewal: Renewal) -> None:
        """Fail those as well that need one which failed after them, as in a circle."""
        while True:
            broken = {name: self._broken_among(needs[name]) for name in needs.keys() - self._failed.keys()}
            if not any(broken.values()):
                return
            for name, imported in broken.items():
                if imported:
                    self._failed[name] = self._failed[min(imported)]
                    renewal.put_back_one(name)


def _needs(name: str, note: Loaded | None, stale: Sequence[str]) -> set[str]:
    """Those stale modules that a module's file says it imports now, and its packages."""
    imports = note.imports if note else frozenset[str]()
    with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        if note is not None and os.path.isfile(note.path):
            tree = ast.parse(Path(note.path).read_bytes())
            imports = imports_of(tree, name, is_package=os.path.basename(note.path) == "__init__.py")
    return ({*imports, *packages_of(name)} & {*stale}) - {name}


def _in_order(needs: Mapping[str, AbstractSet[str]]) -> tuple[list[str], bool]:
    """Modules, each after those that it needs; and whether some need each other."""
    try:
        return list(TopologicalSorter(needs).static_order()), False
    except CycleError:
        return list(needs), True


def _is_gone(name: str, error: BaseException) -> bool:
    return isinstance(error, ModuleNotFoundError) and error.name == name


def _folders(loaded: Mapping[str, Loaded]) -> Iterator[str]:
    """The packages of loaded modules that are mere folders."""
    packages = {package for name in loaded for package in packages_of(name)}
    for name in packages - loaded.keys():
        if name in sys.modules and getattr(sys.modules[name], "__path__", None):
            yield name


def _init_of(package: str) -> str:
    """The file that would make a folder a package with a text of its own."""
    return os.path.join(next(iter(sys.modules[package].__path__), ""), "__init__.py")
