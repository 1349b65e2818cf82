"""Which files hold flows, and what they say.

Finds projects and flow files, reads them by their kind, and gives them the names by
which places in them are known.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .diagnostic import Diagnostic
from .document import MAX_FILE_BYTES, Reading, decode, start_of
from .parse import declared_name

SETTINGS_FILE = "flowengine.toml"
FLOWS_FOLDER = "flows"
_SUFFIXES = (".yaml", ".yml", ".toml")

# Good for all files but those in flow style or with escapes in the name; those are read.
_NAME_LINE = re.compile(
    r"""^["']?flow["']?[ \t]*[:=][ \t]*["']?([A-Za-z_][\w-]*)["']?[ \t]*\r?(?:#.*)?$""", re.M
)


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A file that was found and read.

    Attributes:
        path: Where it is.
        file: Its name in spans: relative to the current directory if it is below it.
        text: What stands in it, or "" if that cannot be read as text.
        reading: What came of reading it.
    """

    path: Path
    file: str
    text: str
    reading: Reading


def find_project(start: Path) -> Path | None:
    """The nearest folder, from `start` upwards, with a `flowengine.toml` or a folder `flows`."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / SETTINGS_FILE).is_file() or (folder / FLOWS_FOLDER).is_dir():
            return folder
    return None


def find_flow(root: Path, flows_dir: str, name: str) -> list[Path]:
    """The files that declare the flow `name`: one, unless there is none or a mistake.

    Reads no more than it must: of most files only the line with the flow's name.
    """
    return [path for path in flow_files_in(root / flows_dir) if _name_in(path) == name]


def discover(
    paths: Sequence[Path], *, known: Mapping[Path, FlowFile] = MappingProxyType({})
) -> tuple[tuple[FlowFile, ...], tuple[Diagnostic, ...]]:
    """Read all flow files among `paths`, and those in folders among them, each once.

    Args:
        paths: Files and folders.
        known: Files as they were, by path: one with the same text is answered as it is.

    Returns:
        The files that are there, in order, and what is wrong with the paths
        themselves; what is wrong inside of a file is in its reading.
    """
    files: dict[str, FlowFile] = {}
    diagnostics: list[Diagnostic] = []
    for path in paths:
        # os.path's: pathlib's raises for a name that is too long, which reading it will tell.
        found = list(flow_files_in(path)) if os.path.isdir(path) else [path]
        if not found:
            diagnostics.append(_empty_folder(path))
        for file in found:
            # os.path's: pathlib's raises where a link leads to itself, which reading it will tell.
            key = os.path.realpath(file)
            if key in files:
                continue
            read = _read(file, known.get(file))
            if isinstance(read, Diagnostic):
                diagnostics.append(read)
            else:
                files[key] = read
    return tuple(files.values()), tuple(diagnostics)


def display_name(path: Path) -> str:
    """The name of a file in spans: relative to the current directory if it is below it, else absolute."""
    absolute = Path(os.path.abspath(path))
    try:
        here = Path.cwd()
    except FileNotFoundError:
        # A handler may have left the process in a folder that is gone.
        return str(absolute)
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def flow_files_in(folder: Path) -> Iterator[Path]:
    """The flow files in a folder and below it, in order; not in hidden folders."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.suffix in _SUFFIXES and name != SETTINGS_FILE:
                yield path


def _read(path: Path, known: FlowFile | None = None) -> FlowFile | Diagnostic:
    file = display_name(path)
    data = _bytes_in(path, file)
    if isinstance(data, Diagnostic):
        return data
    if path.suffix not in _SUFFIXES:
        message = f"`{file}` is no flow file by its name"
        return Diagnostic("error", "FE001", message, start_of(file), "name it `.yaml`, `.yml` or `.toml`")
    text = decode(file, data)
    if isinstance(text, Diagnostic):
        return FlowFile(path, file, data.decode("utf-8", "replace"), Reading(None, (text,)))
    if known is not None and (known.file, known.text) == (file, text):
        return known
    return FlowFile(path, file, text, _read_text(path.suffix, file, text))


def _bytes_in(path: Path, file: str) -> bytes | Diagnostic:
    """What is in a file, or its beginning where that is too long."""
    try:
        # Opening a pipe would wait for a writer.
        if not stat.S_ISREG(path.stat().st_mode):
            return Diagnostic("error", "FE001", f"`{file}` is not a file that can be read", start_of(file))
        with path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return Diagnostic("error", "FE001", f"there is no file `{file}`", start_of(file))
    except OSError as error:
        return Diagnostic("error", "FE001", f"`{file}` cannot be read: {error.strerror}", start_of(file))


def _read_text(suffix: str, file: str, text: str) -> Reading:
    # Imported here, for most projects write only one of the two.
    if suffix == ".toml":
        from .read_toml import read_toml

        return read_toml(file, text)
    from .read_yaml import read_yaml

    return read_yaml(file, text)


def _name_in(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        found = _NAME_LINE.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    if found:
        return found[1]
    read = _read(path)
    if not isinstance(read, FlowFile) or read.reading.document is None:
        return None
    name = declared_name(read.reading.document)
    return name.text if name else None


def _empty_folder(path: Path) -> Diagnostic:
    name = display_name(path)
    message = f"there are no flow files in the folder `{name}`"
    return Diagnostic(
        "error", "FE001", message, start_of(name), "flow files end in `.yaml`, `.yml` or `.toml`"
    )
