"""The command line: words, flags, exit codes.

One command a module, imported when it is asked for; how things are printed stands in
`output`, what is printed of a run in `lines`, `rows` and `live`.
"""

from __future__ import annotations

import sys

# Type checkers take it for true; `typing`, which has the name, takes longer to import than all before `main`.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Final, NoReturn

__all__ = ["main"]

#: The exit code that `failure` has for it too; importing that from here would take what this is about.
_INTERRUPTED: Final = 130


def main() -> NoReturn:
    """Run the command that the arguments ask for and leave with its exit code.

    A Ctrl-C counts from here on, also while the command line itself is still being imported.
    """
    try:
        from .entry import main as enter

        enter()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
