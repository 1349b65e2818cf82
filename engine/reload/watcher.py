"""The one door to watchfiles: when something may have changed.

What it tells are hints. They come fast, but not for everything: a folder that appears is watched a
moment after its first file is there, links lead elsewhere, and network file systems tell nothing.
Whoever listens looks at the files themselves, after each hint and from time to time without one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import watchfiles

#: Milliseconds without a change after which a burst counts as over, and the most that one is waited for.
_QUIET_MS: Final = 25
_LONGEST_BURST_MS: Final = 200

#: Milliseconds after which silence is told, too.
_TICK_MS: Final = 50

#: Milliseconds between two looks where nothing can be watched.
_BLIND_MS: Final = 200

#: Ends of names of files that say what a flow does.
_SUFFIXES: Final = (".py", ".yaml", ".yml", ".toml", ".json")


def changes(
    folders: Callable[[], frozenset[str]], *, is_over: Callable[[], bool], blind: Callable[[str], None]
) -> Iterator[bool]:
    """Whether something may have changed since the last time: after each burst of changes, and every 50 ms.

    The first answer, and the first after other folders are watched, is always that something may have.

    Args:
        folders: Answers the folders to watch, not those below them; asked again after each burst.
        is_over: Whether nobody listens any more; looked at every 50 ms.
        blind: Told why, if the system does not let these folders be watched: from then on something
            may always have changed.
    """
    while not is_over():
        watched = folders()
        try:
            for number, paths in enumerate(_bursts(watched)):
                is_hint = number == 0 or any(_matters(path) for path in paths)
                yield is_hint
                # A folder that went and came back is watched no more, although it has its name again.
                if is_over() or not watched.isdisjoint(paths) or (is_hint and folders() != watched):
                    break
        except FileNotFoundError:
            # A folder went away between the look and the watch.
            time.sleep(_QUIET_MS / 1000)
        except (OSError, RuntimeError) as error:
            blind(str(error))
            while not is_over():
                time.sleep(_BLIND_MS / 1000)
                yield True


def _bursts(folders: frozenset[str]) -> Iterator[list[str]]:
    """The paths of what has changed; none where only time has gone by.

    Nothing is filtered by watchfiles, which tells no ticks while a program writes what does not matter.
    """
    watching = watchfiles.watch(
        *folders,
        watch_filter=None,
        debounce=_LONGEST_BURST_MS,
        step=_QUIET_MS,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,
        recursive=False,
        ignore_permission_denied=True,
    )
    for found in watching:
        yield [path for _, path in found]


def _matters(path: str) -> bool:
    """Whether a change may matter: of a file by its name, or of a folder, which may have any."""
    name = os.path.basename(path)
    return not name.startswith(".") and (name.endswith(_SUFFIXES) or "." not in name or os.path.isdir(path))
