"""What must be true of a project that was edited while it was served, whatever was saved and run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.compile.plan import Plan
from engine.compile.planner import plan_of
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.events.fold import RunState
from engine.store.plans import Plans
from tests.acceptance.command import LIMIT_S
from tests.support.draft import Texts
from tests.support.studio import Dev, Studio

_NUMBER = re.compile(r"NUMBER = (?:int\(\s*)?(\d+)")
_HELPER = re.compile(r"from handlers\.(\w+) import NUMBER")
_FUNCTION = re.compile(r"def (\w+)\(job, ctx\)")

#: What stands before what happened in a line of `dev`, and the kinds of lines that tell a version.
_BEFORE = re.compile(r"^(\d\d:\d\d:\d\d  )?(mended: )?")
_ALTERED = re.compile(r"(\S+) ([0-9a-f]{8}) → ([0-9a-f]{8}): ")
_NEW = re.compile(r"(\S+) ([0-9a-f]{8}) is new: |(\S+)\s+([0-9a-f]{8})\s+\d+ steps?\s")
_GONE = re.compile(r"(\S+) ([0-9a-f]{8}) is gone")


@dataclass
class Phase:
    """What may have been served between two moments at which it was known what is.

    Attributes:
        functions: Import paths of the functions that there were at its beginning.
        numbers: The numbers in each module, by its name.
        runs: Ids of the runs that were started meanwhile.
    """

    functions: frozenset[str] = frozenset()
    numbers: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    runs: list[str] = field(default_factory=list)


class Record:
    """What the files have ever said.

    Attributes:
        phases: Since the beginning.
        versions: The versions that files have declared, by flow.
    """

    def __init__(self) -> None:
        self.phases = [Phase()]
        self.versions: defaultdict[str, set[str]] = defaultdict(set)

    def begin_phase(self, texts: Texts) -> None:
        """What the files say now is all that is served from here on."""
        functions = {
            f"{_module_of(path)}:{name}" for path, text in texts.items() for name in _FUNCTION.findall(text)
        }
        self.phases.append(Phase(frozenset(functions)))
        for path, text in texts.items():
            self.note(path, text, may_be_served=True)

    def note(self, path: str, text: str, *, may_be_served: bool) -> None:
        """A file that is right by itself says this.

        Args:
            path: The file.
            text: What it says.
            may_be_served: Whether the others may be right, too.
        """
        if path.endswith(".yaml"):
            plan = plan_from(path, text)
            self.versions[plan.flow].add(plan.version)
        elif may_be_served and (match := _NUMBER.search(text)):
            self.phases[-1].numbers[_module_of(path)].add(int(match[1]))


def plan_from(path: str, text: str) -> Plan:
    """The plan of a flow file that is right."""
    document = read_yaml(path, text).document
    assert document is not None
    return plan_of(parse(document))


def plans_of(texts: Texts) -> dict[str, Plan]:
    """The plans that files declare, by flow."""
    plans = [plan_from(path, text) for path, text in texts.items() if path.endswith(".yaml")]
    return {plan.flow: plan for plan in plans}


def expected_result(plan: Plan, texts: Texts) -> Any:
    """What a run on a plan gives with the code in the files."""

    def mark(path: str) -> list[Any]:
        module, _, name = path.removeprefix("handlers.").partition(":")
        text = texts[f"handlers/{module}.py"]
        helper = _HELPER.search(text)
        helped = _number_in(texts[f"handlers/{helper[1]}.py"]) if helper else 0
        return [path, _number_in(text), helped, "async" if f"async def {name}(" in text else "sync"]

    trails = {sink: [mark(path) for path in _trail_to(plan, sink)] for sink in plan.sinks}
    return trails if len(trails) > 1 else trails[plan.sinks[0]]


def check_runs(studio: Studio, record: Record) -> int:
    """Every run is completed with what its version and code that was served can give; answers how many."""
    plans: dict[tuple[str, str], Plan] = {}
    begun = {run_id: n for n, phase in enumerate(record.phases) for run_id in phase.runs}
    for run in studio.shop.all_ended(begun, timeout_s=LIMIT_S):
        assert run.status == "completed", run
        at = (run.flow, run.version)
        if at not in plans:
            plans[at] = Plan.from_dict(Plans(studio.store).read(*at), run.version)
        _check_result(run, plans[at], record.phases, begun[run.run_id])
    return len(begun)


def _check_result(run: RunState, plan: Plan, phases: list[Phase], begun: int) -> None:
    """The trails of a run are those of its plan, with numbers that there were since it was started."""
    trails: Mapping[str, Any] = run.result if len(plan.sinks) > 1 else {plan.sinks[0]: run.result}
    assert trails.keys() == set(plan.sinks), run
    for sink, trail in trails.items():
        assert [mark[0] for mark in trail] == _trail_to(plan, sink), run
        for path, number, helped, _ in trail:
            # A function that was gone before is what it was when it went.
            since = begun if path in phases[begun].functions else 0
            assert number in _numbers(phases[since:], path.partition(":")[0]), (run, path, since)
            assert helped == 0 or helped in _numbers(phases[since:], "handlers.helper"), (run, path, since)


def _numbers(phases: list[Phase], name: str) -> set[int]:
    """The numbers that there were in modules whose names begin so."""
    found = (
        numbers for phase in phases for module, numbers in phase.numbers.items() if module.startswith(name)
    )
    return set[int]().union(*found)


def check_versions(studio: Studio, record: Record) -> None:
    """No version has ever come into force that no file has declared."""
    for flow, versions in record.versions.items():
        with studio.store.talking() as client:
            known = {raw.decode() for raw in client.zrange(studio.store.keys.versions(flow), 0, -1)}
        assert known <= versions, (flow, known - versions)


def check_lines(dev: Dev, texts: Texts) -> None:
    """The lines that were printed follow one from the other, and lead to what the files say."""
    served: dict[str, str] = {}
    for line in dev.lines:
        assert "Traceback" not in line, "\n".join(dev.lines)
        words = _BEFORE.sub("", line)
        if match := _ALTERED.match(words):
            assert served[match[1]] == match[2], (line, served)
            served[match[1]] = match[3]
        elif match := _GONE.match(words):
            assert served.pop(match[1]) == match[2], (line, served)
        elif match := _NEW.match(words):
            flow, version = filter(None, match.groups())
            assert flow not in served, (line, served)
            served[flow] = version
    assert served == {flow: plan.version[:8] for flow, plan in plans_of(texts).items()}


def _module_of(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts)


def _number_in(text: str) -> int:
    match = _NUMBER.search(text)
    assert match is not None
    return int(match[1])


def _trail_to(plan: Plan, step: str) -> list[str]:
    """The handlers from the entry to a step, each of which has one before it."""
    at = plan.steps[step]
    before = [name for name, it in plan.steps.items() if set(it.emits) & set(at.subscribes)]
    return [*(_trail_to(plan, before[0]) if before else []), at.handler]
