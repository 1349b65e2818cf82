"""The left half of the house as one call: paths in, plans and diagnostics out.

`validate`, `run` and `worker` all come through here, so what validates is what runs.
The one difference is whether handlers are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.declare.declaration import FlowDeclaration, Located
from engine.declare.diagnostic import Diagnostic, Related
from engine.declare.discover import FlowFile, discover
from engine.declare.parse import declared_handlers, declared_name, parse
from engine.declare.shape import check_shape
from engine.errors import HandlerError
from engine.validate.graph import check_graph
from engine.validate.handlers import check_handlers
from engine.validate.queues import check_queues
from engine.validate.rules import broken
from engine.validate.source import Sources

from .link import Handler, link, put_project_first
from .plan import Plan
from .planner import plan_of


@dataclass(frozen=True, slots=True)
class Built:
    """What came of building some flow files.

    Attributes:
        plans: The sound flows, in the order of their files.
        handlers: Functions by import path; empty unless handlers were imported.
        diagnostics: Everything that is wrong with all files, in the order of the files.
        sources: The text of each file that a diagnostic or a plan comes from, by its name in spans.
        files: The file that declares each flow, by the flow's name.
    """

    plans: tuple[Plan, ...]
    handlers: Mapping[str, Callable[..., Any]]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    files: Mapping[str, str]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with any of the files; warnings do not count."""
        return not _has_error(self.diagnostics)


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a file says by itself, whatever the others say.

    Attributes:
        source: The file.
        diagnostics: What is wrong with it.
        name: The flow's name, if that much can be read.
        flow: The declaration, if the file has the shape of one.
        handlers: The import paths in it, whether or not it has that shape.
        plan: The flow compiled, if nothing is wrong with it.
    """

    source: FlowFile
    diagnostics: tuple[Diagnostic, ...]
    name: Located | None = None
    flow: FlowDeclaration | None = None
    handlers: tuple[Located, ...] = ()
    plan: Plan | None = None


class _Unit:
    """A file on its way among the others.

    Attributes:
        declared: What it says.
        diagnostics: What is wrong with it so far.
        flow: The declaration, as long as no other file keeps it from being one.
    """

    def __init__(self, declared: _Declared) -> None:
        self.declared = declared
        self.diagnostics = list(declared.diagnostics)
        self.flow = declared.flow

    @property
    def file(self) -> str:
        return self.declared.source.file

    @property
    def name(self) -> Located | None:
        return self.declared.name

    @property
    def handlers(self) -> tuple[Located, ...]:
        return self.declared.handlers

    @property
    def is_sound(self) -> bool:
        return self.flow is not None and not _has_error(self.diagnostics)


def build(paths: Sequence[Path], *, root: Path, import_handlers: bool) -> Built:
    """Read, check and compile flow files.

    Args:
        paths: Files, and folders that are searched for files.
        root: The project's folder, below which handlers are looked for first.
        import_handlers: Whether to import the handlers of sound flows, which runs the user's modules.
    """
    return Builder(paths, root=root, link_handler=link if import_handlers else None).build()


class Builder:
    """Builds the same files again and again; what a text says by itself is found out once."""

    def __init__(
        self, paths: Sequence[Path], *, root: Path, link_handler: Callable[[str], Handler] | None
    ) -> None:
        """Nothing is read yet.

        Args:
            paths: Files, and folders that are searched for files.
            root: The project's folder, below which handlers are looked for first.
            link_handler: Gives the function of an import path, or raises `HandlerError`; with None,
                handlers are only looked up in the source.
        """
        self._paths = paths
        self._root = root
        self._link = link_handler
        self._declared: Mapping[Path, _Declared] = {}
        self._sources = Sources(root)

    def build(self) -> Built:
        """Read, check and compile the files as they are now."""
        known = {path: declared.source for path, declared in self._declared.items()}
        files, of_paths = discover(self._paths, known=known)
        self._declared = {file.path: self._read(file) for file in files}
        self._sources.look_again()
        units = [_Unit(declared) for declared in self._declared.values()]
        _refuse_second_names(units)
        _refuse_shared_limits(units)
        for unit in units:
            unit.diagnostics.extend(check_handlers(unit.handlers, sources=self._sources))
        linked = _link_handlers(units, self._root, self._link) if self._link else {}
        sound = [unit for unit in units if unit.is_sound]
        return Built(
            plans=tuple(unit.declared.plan for unit in sound if unit.declared.plan is not None),
            handlers={
                handler.text: linked[handler.text] for unit in sound for handler in unit.handlers if linked
            },
            diagnostics=(*of_paths, *(found for unit in units for found in _in_order(unit.diagnostics))),
            sources=_texts(units),
            files={unit.name.text: unit.file for unit in reversed(units) if unit.name},
        )

    def _read(self, file: FlowFile) -> _Declared:
        before = self._declared.get(file.path)
        return before if before is not None and before.source is file else _declared(file)


def _declared(file: FlowFile) -> _Declared:
    document = file.reading.document
    if document is None:
        return _Declared(file, file.reading.diagnostics)
    of_shape = check_shape(document)
    flow = None if of_shape else parse(document)
    of_graph = check_graph(flow) if flow is not None else ()
    diagnostics = (*file.reading.diagnostics, *of_shape, *of_graph)
    return _Declared(
        file,
        diagnostics,
        name=declared_name(document),
        flow=flow,
        handlers=tuple(declared_handlers(document)),
        plan=plan_of(flow) if flow is not None and not _has_error(diagnostics) else None,
    )


def _has_error(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.is_error for diagnostic in diagnostics)


def _refuse_second_names(units: Iterable[_Unit]) -> None:
    """Refuse flows that share a name, all of them: nobody can tell which one is meant."""
    first: dict[str, _Unit] = {}
    for unit in units:
        if unit.name is None:
            continue
        other = first.setdefault(unit.name.text, unit)
        if other is unit or other.name is None:
            continue
        message = f"flow `{unit.name.text}` is declared in two files"
        related = Related("also declared here", other.name.span)
        unit.diagnostics.append(
            broken("FE410", message, unit.name.span, help="rename one of them", related=related)
        )
        unit.flow = other.flow = None


def _refuse_shared_limits(units: Iterable[_Unit]) -> None:
    """Refuse steps that share a queue with a limit, wherever they are declared."""
    of_file = {unit.file: unit for unit in units}
    for found in check_queues(unit.flow for unit in units if unit.flow is not None):
        of_file[found.span.file].diagnostics.append(found)


def _link_handlers(
    units: Iterable[_Unit], root: Path, link_handler: Callable[[str], Handler]
) -> dict[str, Handler]:
    """Import the handlers of the sound flows; what goes wrong makes its flow unsound."""
    put_project_first(root)
    linked: dict[str, Handler] = {}
    failed: dict[str, HandlerError] = {}
    for unit in units:
        told: set[str] = set()
        for handler in unit.handlers if unit.is_sound else ():
            module = handler.text.partition(":")[0]
            try:
                # A module that raised is not tried again: it may be slow, or do half of something twice.
                if module in failed:
                    raise failed[module]
                linked[handler.text] = link_handler(handler.text)
            except HandlerError as error:
                if error.__cause__ is not None:
                    failed[module] = error
                    if module in told:
                        continue
                    told.add(module)
                unit.diagnostics.append(broken("FE208", str(error), handler.span))
    return linked


def _texts(units: Iterable[_Unit]) -> dict[str, str]:
    """The text of the flow files, and of the modules that diagnostics point into."""
    texts = {unit.file: unit.declared.source.text for unit in units}
    related = (found.related.span.file for unit in units for found in unit.diagnostics if found.related)
    for file in related:
        if file not in texts:
            with suppress(OSError):
                texts[file] = Path(file).read_text(encoding="utf-8", errors="replace")
    return texts


def _in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    return sorted(diagnostics, key=lambda it: (it.span.line, it.span.column, it.code, it.message))
