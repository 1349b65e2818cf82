"""The command line: words, flags, exit codes.

One command a module, imported when it is asked for; how things are printed stands in
`output`, what is printed of a run in `lines`, `rows` and `live`.
"""

from __future__ import annotations

from .entry import main

__all__ = ["main"]
