"""Where the project's modules come from: their source, and never a cache of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


class SourceFinder(MetaPathFinder):
    """Finds the project's modules in front of all other finders, where those would find them."""

    def __init__(
        self, *, owns: Callable[[str, str], bool], run: Callable[[str, SourceLoader], CodeType]
    ) -> None:
        """Find nothing yet.

        Args:
            owns: Whether a module is the project's, by its name and its file.
            run: Compiles one.
        """
        self._owns = owns
        self._run = run

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The project's module of this name; None leaves it to the others."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        if not self._owns(fullname, spec.origin):
            return None
        spec.loader = SourceLoader(fullname, spec.origin, self._run)
        return spec


class SourceLoader(SourceFileLoader):
    """Loads a module from its source alone."""

    def __init__(self, fullname: str, path: str, run: Callable[[str, SourceLoader], CodeType]) -> None:
        super().__init__(fullname, path)
        self._run = run

    def get_code(self, fullname: str) -> CodeType:
        """What is run as the module."""
        return self._run(fullname, self)
