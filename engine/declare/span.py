"""Places in declarations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters in a file.

    Attributes:
        file: The path as the user wrote it, or relative to the project.
        line: First line, from 1.
        column: First character of that line, from 1, in code points.
        end_line: Last line, from 1.
        end_column: One past the last character.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
