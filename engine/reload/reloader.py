"""From saved files to versions in force: looks, tries, and swaps all or nothing.

Theory of operation:

1. What counts is what the files say when they are looked at; hints that something was saved only make
   it look at once. A look compares contents with those of the last look, so it does not matter how a
   file was saved, how often, or whether a hint was lost.
2. Where something differs, stale modules are loaded anew and all flows are built. Only if nothing is
   wrong with any of them the plans go to the store and then into this process, in one assignment;
   else the modules are put back, and what was in force stays in force.
3. A file may be looked at while it is being written. So what is wrong is told only once nothing has
   moved for a while, a flow is gone only once it has been for a while, and what turns out to be right
   in time is not mentioned. And it is read more than
   once: where it was written between a look and the end of what followed, that look does not count.
4. A save is an act of somebody who wants it in force: it takes the pointer also where its version is
   an old one, as when an edit is undone. The start of a process is not, on a store that is shared.
5. Two processes that look at the same files come to the same plans, and the last thing that each of
   them puts in force is what the files say at the end: they agree whichever of them is last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from engine.clock import monotonic_ms
from engine.compile.build import Built
from engine.compile.link import Handler
from engine.compile.plan import Plan
from engine.control.announce import announce_rejection, announce_update
from engine.control.deploy import Deployed, changes_of, deploy
from engine.declare.diagnostic import Diagnostic
from engine.errors import StoreError
from engine.registry.changes import Changes, compare
from engine.store.connection import Store

from .files import Files, Status
from .modules import Modules
from .outcome import Delayed, Outcome, Rejected, SettingsChanged, Updated

#: Milliseconds after which the files are looked at without a hint.
_LOOK_EVERY_MS: Final = 1_000

#: Milliseconds without a change after which what is wrong is told, and the most that are waited for them.
_QUIET_MS: Final = 150
_LONGEST_DOUBT_MS: Final = 2_000


class _Seen(NamedTuple):
    """What the files said: the digest of each by its path, and where something is missing, what there is."""

    flows: Mapping[str, bytes | None]
    modules: Mapping[str, bytes | None]
    others: frozenset[tuple[str, Status]]


class Reloader:
    """Brings what the files say into force.

    Attributes:
        built: What is in force; None before the files were right for the first time.
        standing: What is wrong with the files now, as it was told; None where nothing is.
    """

    def __init__(
        self,
        store: Store,
        *,
        files: Files,
        modules: Modules,
        build: Callable[[], Built],
        swap: Callable[[Iterable[Plan], Mapping[str, Handler]], None],
        by: str,
        start_mode: Literal["serve", "deploy"],
    ) -> None:
        """Nothing is in force yet.

        Args:
            store: Where versions are put in force.
            files: The files that are looked at.
            modules: The handlers' modules.
            build: Reads, checks and compiles all flows, and imports their handlers.
            swap: Puts plans with their functions in force in this process.
            by: The worker, for those who read the stream of the registry.
            start_mode: How the first versions are deployed.
        """
        self.built: Built | None = None
        self.standing: Built | None = None
        self._store = store
        self._files = files
        self._modules = modules
        self._build = build
        self._swap = swap
        self._by = by
        self._start_mode = start_mode
        self._seen: _Seen | None = None
        self._served_flows: Mapping[str, bytes | None] = {}
        self._settings = self._settings_told = files.settings()
        self._told: Counter[tuple[str, str, str]] = Counter()
        self._doubted: Built | None = None
        self._doubted_since_ms = self._moved_at_ms = self._looked_at_ms = 0.0
        self._delayed: AbstractSet[str] = frozenset()
        self._gone_since_ms: float | None = None

    def look(self, *, is_hint: bool) -> Outcome | None:
        """Look at the files if it is time to, and do what follows; answers what there is to tell.

        Args:
            is_hint: Whether something may have been saved since the last look.
        """
        now = monotonic_ms()
        if is_hint or now - self._looked_at_ms >= _LOOK_EVERY_MS or self._gone_since_ms is not None:
            self._looked_at_ms = now
            seen = self._look()
            if seen != self._seen:
                self._seen, self._moved_at_ms = seen, now
                return self._try(seen)
            settings = self._files.settings()
            if settings != self._settings_told:
                self._settings_told = settings
                # Put back as they were read, they hold.
                return SettingsChanged() if settings != self._settings else None
        if self._doubted is not None and self._is_settled(now):
            return self._reject(self._doubted)
        return None

    def _look(self) -> _Seen:
        modules = {it.path: self._files.digest(it.path) for it in self._modules.notes()}
        # A module that could not be imported has not been noted, and one that is missing may come.
        is_broken = self.standing is not None or self._doubted is not None
        return _Seen(self._files.flows(), modules, self._files.modules() if is_broken else frozenset())

    def _is_settled(self, now: float) -> bool:
        return now - self._moved_at_ms >= _QUIET_MS or now - self._doubted_since_ms >= _LONGEST_DOUBT_MS

    def _try(self, seen: _Seen) -> Outcome | None:
        begun_ms = monotonic_ms()
        before = self.built.plans if self.built else ()
        # As they are before they are read: one that is written meanwhile is known by that.
        seen = seen if seen.others else seen._replace(others=self._files.modules())
        stale = self._modules.stale(self._files.digest)
        with self._modules.renewing(stale) as renewal:
            built = self._build()
            if not built.is_sound:
                self._doubt(built)
                self._seen = self._unless_written(seen)
                return None
            changes = compare(before, built.plans)
            if self._may_come_back(changes):
                self._seen = None
                return None
            try:
                deployed = self._deploy(built, changes)
            except StoreError as error:
                return self._delay(error, changes)
            self._swap(built.plans, built.handlers)
            renewal.is_kept = True
        took_ms = monotonic_ms() - begun_ms
        self._modules.keep(built.handlers)
        # With what was run in fact, which may be more modules, or later texts than were looked at.
        notes = self._modules.notes()
        run = {it.path: it.digest for it in notes}
        self._seen = self._unless_written(_Seen(seen.flows, run, frozenset()))
        modules = tuple(sorted(stale & {it.name for it in notes}))
        self._announce(deployed, changes, modules)
        warnings, _ = self._compared(built.diagnostics)
        later = {plan.flow: became.in_force for plan, became in deployed if became.in_force is not None}
        is_mended, is_late = self.standing is not None, bool(self._delayed)
        updated = Updated(built, changes, modules, later, warnings, is_mended, is_late, took_ms)
        is_same = seen.flows == self._served_flows and updated.is_without_news
        self.built, self.standing, self._doubted, self._delayed = built, None, None, frozenset()
        self._served_flows = seen.flows
        return None if is_same else updated

    def _may_come_back(self, changes: Changes) -> bool:
        """Whether flows are gone, and not for long: some programs delete a file before they write it."""
        now = monotonic_ms()
        if not changes.removed:
            self._gone_since_ms = None
        elif self._gone_since_ms is None:
            self._gone_since_ms = now
        is_new = self._gone_since_ms is not None and now - self._gone_since_ms < _QUIET_MS
        if not is_new:
            self._gone_since_ms = None
        return is_new

    def _unless_written(self, seen: _Seen) -> _Seen | None:
        """What was seen; None where a flow file was written since: another text of it may have been built."""
        return seen if self._files.are_as_read(seen.flows) else None

    def _doubt(self, built: Built) -> None:
        if self._doubted is None:
            self._doubted_since_ms = monotonic_ms()
        self._doubted = built

    def _deploy(self, built: Built, changes: Changes) -> list[tuple[Plan, Deployed]]:
        """Put what has changed in force in the store."""
        # What mends a project that was broken at the start is a save.
        is_start = self.built is None and self.standing is None
        mode = self._start_mode if is_start else "deploy"
        # A call whose answer was lost may have moved a pointer, also if its edit has been undone since.
        changed = self._delayed | _flows_of(changes)
        return [
            (plan, deploy(self._store, plan, source=built.sources[built.files[plan.flow]], mode=mode))
            for plan in built.plans
            if plan.flow in changed
        ]

    def _announce(
        self, deployed: Sequence[tuple[Plan, Deployed]], changes: Changes, modules: Sequence[str]
    ) -> None:
        """Tell who follows the registry what is new in the store, and not what it had already."""
        with suppress(StoreError):
            told = replace(changes_of(self._store, deployed), removed=changes.removed)
            announce_update(self._store, by=self._by, changes=told, modules=modules)

    def _delay(self, error: StoreError, changes: Changes) -> Delayed | None:
        # As if nothing had been looked at: the next look tries again.
        self._seen = None
        is_new = not self._delayed
        self._delayed |= _flows_of(changes)
        return Delayed(str(error)) if is_new else None

    def _reject(self, built: Built) -> Rejected | None:
        fresh, mended = self._compared(built.diagnostics)
        self.standing, self._doubted = built, None
        if not fresh and not mended:
            return None
        with suppress(StoreError):
            faulty = {found.span.file for found in built.diagnostics if found.is_error}
            flows = [flow for flow, file in built.files.items() if file in faulty]
            announce_rejection(self._store, by=self._by, diagnostics=built.diagnostics, flows=flows)
        return Rejected(built, fresh, mended, is_serving=self.built is not None)

    def _compared(self, diagnostics: Sequence[Diagnostic]) -> tuple[tuple[Diagnostic, ...], int]:
        """Those that were not told before, and how many told errors are gone; from here on these are told.

        A diagnostic that only moved to another line is the same.
        """
        left, fresh = self._told.copy(), []
        for found in diagnostics:
            key = _key(found)
            if left[key] > 0:
                left[key] -= 1
            else:
                fresh.append(found)
        self._told = Counter(_key(found) for found in diagnostics)
        return tuple(fresh), left.total()


def _flows_of(changes: Changes) -> AbstractSet[str]:
    return frozenset(change.flow for change in (*changes.added, *changes.altered))


def _key(found: Diagnostic) -> tuple[str, str, str]:
    return found.code, found.span.file, found.message
