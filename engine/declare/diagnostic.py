"""A mistake in a declaration, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .span import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a mistake, such as where a name was first used.

    Attributes:
        message: A short label, such as "first defined here".
        span: Where it is.
    """

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: what, where, and what to write instead.

    Attributes:
        severity: An error refuses the declaration; a warning does not.
        code: Stable name, `FE` and three digits.
        message: One plain sentence without a full stop.
        span: The place to point at.
        help: What to write, or None where nothing is sure.
        related: A second place, or None.
    """

    severity: Severity
    code: str
    message: str
    span: Span
    help: str | None = None
    related: Related | None = None

    @property
    def is_error(self) -> bool:
        """Whether this refuses the declaration."""
        return self.severity == "error"
