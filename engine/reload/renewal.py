"""What was loaded before modules are loaded anew, so that it can be put back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping
from types import ModuleType


class Renewal:
    """What was loaded before, until it is known whether the new is kept.

    Attributes:
        is_kept: Whether the new modules stay.
        thread: The thread that loads them, as long as it does.
        modules: The modules that there were, by name.
        former: The same, and those that another thread was about to be given when this was made: the
            import system takes a module away for a moment at the end of each import.
    """

    def __init__(self, before: Collection[str], last: Renewal | None) -> None:
        """Remember the modules of these names.

        Args:
            before: Names of the modules that are loaded.
            last: The renewal before this one.
        """
        self.is_kept = False
        self.thread = threading.get_ident()
        packages = {package for name in before for package in packages_of(name)}
        found = {name: sys.modules.get(name) for name in {*before, *packages}}
        self.modules: Mapping[str, ModuleType] = {
            name: module for name, module in found.items() if module is not None
        }
        self.former: dict[str, ModuleType] = {**(last.former if last else {}), **self.modules}
        self._attributes = {name: dict(vars(self.modules[name])) for name in packages & self.modules.keys()}

    def put_back(self, names: Collection[str]) -> None:
        """Put the modules back that were there before, and take away those that have come since.

        Args:
            names: Names of the modules that are loaded now.
        """
        for name in {*names} - self.former.keys():
            sys.modules.pop(name, None)
        sys.modules.update(self.modules)
        for name in {*names, *self.modules}:
            self._bind_again(name)

    def put_back_one(self, name: str) -> None:
        """Put one module back."""
        if name in self.modules:
            sys.modules[name] = self.modules[name]
            self._bind_again(name)

    def _bind_again(self, name: str) -> None:
        """Let a package have again what it had under the name of a module in it: perhaps not the module."""
        package, _, last = name.rpartition(".")
        if package in self._attributes:
            attributes, before = vars(self.modules[package]), self._attributes[package]
            if last in before:
                attributes[last] = before[last]
            else:
                attributes.pop(last, None)


def packages_of(name: str) -> list[str]:
    """The packages that a module is in, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def unbind(name: str) -> None:
    """Take a module away from its package, which must be asked for it anew."""
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(last, None)
