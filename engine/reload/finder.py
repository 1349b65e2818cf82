"""Where the project's modules come from: their source, and never a cache of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


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


class SourceFinder(MetaPathFinder):
    """Finds the project's modules in front of all other finders, where those would find them."""

    def __init__(
        self,
        *,
        owns: Callable[[str, str], bool],
        former: Callable[[str], ModuleType | None],
        run: Callable[[str, SourceLoader], CodeType],
    ) -> None:
        """Find nothing yet.

        Args:
            owns: Whether a module is the project's, by its name and its file.
            former: The module that this thread is to have instead of a new one, if there is one.
            run: Compiles one.
        """
        self._owns = owns
        self._former = former
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
        spec.loader = SourceLoader(fullname, spec.origin, former=self._former(fullname), run=self._run)
        return spec


class SourceLoader(SourceFileLoader):
    """Loads a module from its source alone.

    Attributes:
        note: What was run, once something was.
    """

    def __init__(
        self,
        fullname: str,
        path: str,
        *,
        former: ModuleType | None,
        run: Callable[[str, SourceLoader], CodeType],
    ) -> None:
        """Load the module of a file with `run`, or be content with a former one."""
        super().__init__(fullname, path)
        self.note = None if former is None else note_of(former)
        self._former = former
        self._run = run

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The former module, if there is one."""
        return self._former

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, unless that was done before."""
        if self._former is None:
            super().exec_module(module)

    def get_code(self, fullname: str) -> CodeType:
        """What is run as the module."""
        return self._run(fullname, self)


def note_of(module: ModuleType) -> Loaded | None:
    """What was run as a module; None where this loader has not run it."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return loader.note if isinstance(loader, SourceLoader) else None
