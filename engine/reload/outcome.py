"""What became of a look at the files, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.compile.build import Built
from engine.declare.diagnostic import Diagnostic
from engine.registry.changes import Changes


@dataclass(frozen=True, slots=True)
class Updated:
    """What the files say is in force.

    Attributes:
        built: All of it.
        changes: How the flows differ from those before.
        modules: The modules that were loaded anew, ordered by name.
        later: By flow, the version that stays in force in the store where that came later.
        warnings: Those that were not there before.
        is_mended: Whether something was wrong before, and was told.
        is_late: Whether the store had to be waited for, and that was told.
        took_ms: From the look to the swap.
    """

    built: Built
    changes: Changes
    modules: tuple[str, ...]
    later: Mapping[str, str]
    warnings: tuple[Diagnostic, ...]
    is_mended: bool
    is_late: bool
    took_ms: float

    @property
    def is_without_news(self) -> bool:
        """Whether all is as it was before."""
        return self.changes.is_empty and not (self.modules or self.warnings or self.is_mended or self.is_late)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something is wrong with the files; what was in force stays so.

    Attributes:
        built: All that was found.
        fresh: What is wrong now and was not told before.
        mended: How many of the errors that were told before are gone.
        is_serving: Whether there is something in force.
    """

    built: Built
    fresh: tuple[Diagnostic, ...]
    mended: int
    is_serving: bool


@dataclass(frozen=True, slots=True)
class Delayed:
    """The store cannot take the new versions; it is asked again until it does.

    Attributes:
        reason: Why, as a sentence.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """The settings say something else now, and are read only when a process starts."""


Outcome = Updated | Rejected | Delayed | SettingsChanged
