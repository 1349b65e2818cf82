"""Random edits of a project that `flowengine dev` serves, while runs are started all the time.

    python -m tests.acceptance.edits [--edits 1000] [--seed 7]

Files are saved in various ways and at various paces, right and wrong. Now and then, and at the end, they
are put right, and it is waited until runs show that what they say is served, and nothing else is. Then
all that has happened is gone through: every run, every version, every line that was printed, the books.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from engine.compile.plan import Plan
from engine.control.deploy import plan_in_force
from engine.control.start import start
from engine.errors import FlowNotFound
from tests.support.draft import Edit, Texts, first_draft, half_of, helper_text, random_edits
from tests.support.edited import (
    Record,
    check_lines,
    check_runs,
    check_versions,
    expected_result,
    plans_of,
)
from tests.support.studio import Dev, Studio
from tests.support.wait import wait_until
from tests.support.worker import PAYLOAD_BYTES

#: Edits between two moments at which the files are right and it is waited for what they say.
_PHASE = 25

#: Threads that start runs, the pause of each between two, and the most that go on at a time.
_STARTERS = 2
_PAUSE_S = 0.03
_MOST_RUNS = 60

#: Longest pauses in ms between two edits, and inside of a save.
_BETWEEN_MS = 300
_INSIDE_MS = 80

#: Seconds in which what is saved is served at the very latest; workers look for queues anew after 30.
_SETTLED_S = 15

#: Part of the runs that are started on the version before the one in force, as by somebody who was late.
_LATE = 0.2

#: Lines that are shown of a `dev` that does not come to what it should.
_SHOWN = 40


class Desk:
    """Who edits: what the files say, and in which way they are saved.

    Attributes:
        ways: How often each way was taken.
    """

    def __init__(self, root: Path, chance: Random, record: Record) -> None:
        self.ways: Counter[str] = Counter()
        self._root = root
        self._chance = chance
        self._record = record
        self._disk: dict[str, str] = {}
        self._is_damaged = False
        self._refused_before = 0

    def save(self, edit: Edit, *, refused: int) -> None:
        """Let the files say what an edit says.

        Args:
            edit: The edit.
            refused: How many saves have been refused so far.
        """
        was_damaged, self._is_damaged = self._is_damaged, bool(edit.damage)
        if self._is_damaged and not was_damaged:
            self._refused_before = refused
        # What stands beside something wrong may be served as long as that may not have been seen.
        may_be_served = not self._is_damaged or refused == self._refused_before
        files = edit.files
        changed = sorted(path for path in files if self._disk.get(path) != files[path])
        gone = sorted(self._disk.keys() - files.keys())
        for path in self._chance.sample([*changed, *gone], len(changed) + len(gone)):
            if path in files and path not in edit.damage:
                self._record.note(path, files[path], may_be_served=may_be_served)
            self._save(self._root / path, files.get(path))
        self._disk = files
        if was_damaged and not self._is_damaged:
            for path, text in files.items():
                self._record.note(path, text, may_be_served=True)

    def pause(self) -> None:
        """Rest after an edit: not at all, or for a moment."""
        if self._chance.random() < 0.7:
            self._pause(_BETWEEN_MS)

    def _save(self, path: Path, text: str | None) -> None:
        if text is None:
            path.unlink()
            self.ways["deleted"] += 1
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        way = self._chance.choice((self._in_place, self._renamed, self._in_halves, self._made_again))
        self.ways[way.__name__.strip("_").replace("_", " ")] += 1
        way(path, text)

    def _in_place(self, path: Path, text: str) -> None:
        path.write_text(text)

    def _renamed(self, path: Path, text: str) -> None:
        other = path.with_name(f".{path.name}.tmp")
        other.write_text(text)
        other.replace(path)

    def _in_halves(self, path: Path, text: str) -> None:
        half = half_of(text)
        with path.open("w") as file:
            file.write(half)
            file.flush()
            self._pause(_INSIDE_MS)
            file.write(text[len(half) :])

    def _made_again(self, path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        self._pause(_INSIDE_MS)
        path.write_text(text)

    def _pause(self, most_ms: int) -> None:
        time.sleep(self._chance.uniform(0, most_ms) / 1000)


class Starters:
    """Threads that start runs of whatever is in force.

    Attributes:
        flows: The flows that there are; changed while the threads start runs.
    """

    def __init__(self, studio: Studio, record: Record, flows: list[str], seed: int) -> None:
        self.flows = flows
        self._studio = studio
        self._record = record
        self._is_over = threading.Event()
        self._seen: defaultdict[str, deque[Plan]] = defaultdict(lambda: deque(maxlen=2))
        self._threads = [
            threading.Thread(target=self._start, args=(Random(seed + number),)) for number in range(_STARTERS)
        ]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def start(self, flow: str, *, ms: int, is_late: bool = False) -> str | None:
        """Start a run of a flow whose steps take so long, if it is in the store by now.

        Args:
            flow: The flow.
            ms: How long each step takes.
            is_late: Whether it is started on the version before, if there has been one.
        """
        # Looked at first: the run belongs to the phase that it may have begun in at the earliest.
        phase = self._record.phases[-1]
        try:
            plan = plan_in_force(self._studio.store, flow)
        except FlowNotFound:
            return None
        seen = self._seen[flow]
        if not seen or seen[-1].version != plan.version:
            seen.append(plan)
        plan = seen[0] if is_late else plan
        run_id = start(self._studio.store, plan, input={"ms": ms}, limit_bytes=PAYLOAD_BYTES).run_id
        phase.runs.append(run_id)
        return run_id

    def _start(self, chance: Random) -> None:
        while not self._is_over.wait(_PAUSE_S):
            if self._studio.shop.unfinished() < _MOST_RUNS:
                flow, ms = chance.choice(self.flows), chance.choice((0, 1, 5, 20))
                self.start(flow, ms=ms, is_late=chance.random() < _LATE)


def edit_all(root: Path, *, edits: int, seed: int, tell: Callable[[str], None]) -> None:
    """Edit a project in an empty folder, and see that all is as it should be.

    Args:
        root: The folder.
        edits: How many.
        seed: The same makes the same edits.
        tell: Called with what there is to tell.
    """
    studio, record, kinds = Studio(root), Record(), Counter[str]()
    desk, draft = Desk(root, Random(seed), record), first_draft()
    texts: Texts = draft.texts()
    begun = time.monotonic()
    try:
        desk.save(Edit("begin", texts, {}), refused=0)
        dev = studio.dev()
        starters = Starters(studio, record, sorted(draft.flows), seed)
        starters.begin()
        try:
            for number, edit in enumerate(random_edits(Random(seed), edits, first=draft), start=1):
                kinds[edit.kind] += 1
                texts = edit.texts
                desk.save(edit, refused=refusals(dev))
                # Flows that are gone from the files are started for a while, as by somebody who was late.
                starters.flows = sorted({*plans_of(texts), *starters.flows})
                desk.pause()
                if number % _PHASE == 0 or number == edits:
                    mended = Edit("mend", texts, {})
                    starters.flows = sorted(plans_of(texts))
                    desk.save(mended, refused=0)
                    settle(studio, starters, texts)
                    record.begin_phase(texts)
                    change_helpers(studio, starters, desk, texts, number)
                    refuse(studio, starters, desk, texts, number)
                    desk.save(mended, refused=0)
                    settle(studio, starters, texts)
        finally:
            starters.end()
        assert {it.version for it in studio.built().plans} == {it.version for it in plans_of(texts).values()}
        runs = check_runs(studio, record)
        check_versions(studio, record)
        check_lines(dev, texts)
        assert (root / "marks").read_text() == "work ", "a module that nobody has saved was loaded anew"
        code, rest = dev.stop()
        assert code == 0, rest
    finally:
        studio.close()
    tell(f"seed {seed}: {edits:,} edits in {time.monotonic() - begun:.0f} s, {runs:,} runs, all completed")
    tell(f"  edits      {counted(kinds)}")
    tell(f"  saved      {counted(desk.ways)}")
    tell(f"  versions   {sum(map(len, record.versions.values()))} of {len(record.versions)} flows")
    tell(f"  told       {acceptances(dev)} taken over, {refusals(dev)} refused")


def settle(studio: Studio, starters: Starters, texts: Texts) -> None:
    """Wait until runs of all flows are on the versions in the files, and run the code in them."""
    found: dict[str, Any] = {}

    def is_served(plan: Plan) -> bool:
        run_id = starters.start(plan.flow, ms=0)
        assert run_id is not None
        found[plan.flow] = studio.shop.ended(run_id, timeout_s=_SETTLED_S).result
        return bool(found[plan.flow] == expected_result(plan, texts))

    def is_settled() -> bool:
        plans = plans_of(texts).values()
        return all(studio.in_force(it.flow) == it.version for it in plans) and all(map(is_served, plans))

    wait_until(
        is_settled,
        timeout_s=_SETTLED_S,
        saw=lambda: (found, texts, "\n".join(studio.devs[0].lines[-_SHOWN:])),
    )


def change_helpers(studio: Studio, starters: Starters, desk: Desk, texts: Texts, number: int) -> None:
    """Change what others import and nothing else, and see that they have it."""
    helpers = {path: helper_text(number) for path in texts if "/helper" in path}
    desk.save(Edit("", {**texts, **helpers}, {}), refused=0)
    settle(studio, starters, {**texts, **helpers})
    desk.save(Edit("", texts, {}), refused=0)
    settle(studio, starters, texts)


def refuse(studio: Studio, starters: Starters, desk: Desk, texts: Texts, number: int) -> None:
    """Break one file as it never was before, and see that this is told, and all is served as it was."""
    [dev] = studio.devs
    before = refusals(dev)
    path = next(path for path in sorted(texts) if path.endswith(".yaml"))
    desk.save(Edit("", texts, {path: texts[path].replace(":f", f":nothing{number}", 1)}), refused=before)
    wait_until(
        lambda: refusals(dev) > before,
        timeout_s=_SETTLED_S,
        saw=lambda: "\n".join(dev.lines[-_SHOWN:]),
    )
    settle(studio, starters, texts)


def refusals(dev: Dev) -> int:
    """How many saves have been refused so far."""
    return sum("  not in force; " in line or "  not in force: " in line for line in dev.lines)


def acceptances(dev: Dev) -> int:
    """How many have been taken over: of each it was told how long that took."""
    return sum(bool(re.search(r"\([\d.]+ m?s\)$", line)) for line in dev.lines)


def counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edits", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowengine-edits-") as folder:
        edit_all(Path(folder), edits=options.edits, seed=options.seed, tell=print)


if __name__ == "__main__":
    main()
