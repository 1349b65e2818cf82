"""What the scripts should make of a run, in plain Python: the model that properties hold them against.

It is written from what the words of a flow mean, and knows no counters: what is open is looked up, a
collect is decided by looking at everything that stands before it, a join by what has come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.compile.plan import Plan

#: States of an activation that still has to be settled, or whose emissions are still laid out.
OPEN = ("waiting", "delayed", "leased", "unfolding")

#: Emitted events with their payloads, in order.
Emits = Sequence[tuple[str, Any]]


class Entry(NamedTuple):
    """An event that the log should have; of its data only what is named here is compared."""

    type: str
    step_id: str | None
    attempt: int | None
    data: Mapping[str, Any]


@dataclass
class Due:
    """An activation.

    Attributes:
        step: The step.
        step_id: `<step>#<n>`.
        path: What caused it.
        event: The event that made it due; empty for the entry.
        input: What its handler is given.
        place: Its place in its queue: jobs with a lower one come first.
        state: One of `OPEN`, `settled` or `dropped`.
        token: Who has it.
        last: Who gave it back.
        attempt: Hand-outs that were not given back.
        losses: Leases that ended without a settlement.
        lines: Events that this attempt has recorded.
        until_ms: When its lease is over, or when it falls due.
        staged: Emissions on their way, of which `laid` are in the log.
    """

    step: str
    step_id: str
    path: str
    event: str
    input: Any
    place: tuple[int, int]
    state: str = "waiting"
    token: str = ""
    last: str = ""
    attempt: int = 0
    losses: int = 0
    lines: int = 0
    until_ms: int = 0
    staged: Emits = ()
    laid: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the run has to wait for it."""
        return self.state in OPEN


class Meaning:
    """Who stands before a collect of a flow, and whose activation alone sets it off, from the definitions.

    Attributes:
        before: For each collect the steps from which a step that emits its event can be reached.
        sure: Those of them that lead nowhere else.
    """

    def __init__(self, plan: Plan) -> None:
        hears: dict[str, set[str]] = {}
        for step in plan.steps.values():
            for event in step.subscribes:
                hears.setdefault(event, set()).add(step.name)

        def leads_to(start: str, event: str) -> bool:
            emits = plan.steps[start].emits
            followers = {name for emitted in emits for name in hears.get(emitted, ())}
            return event in emits or any(leads_to(name, event) for name in followers)

        collected = {it.name: it.subscribes[0] for it in plan.steps.values() if it.trigger == "collect"}
        self.before = {
            name: {step for step in plan.steps if leads_to(step, event)} for name, event in collected.items()
        }
        self.sure = {
            name: {
                step
                for step in self.before[name]
                if all(
                    emitted == event or hears[emitted] & self.before[name]
                    for emitted in plan.steps[step].emits
                    if emitted in hears
                )
            }
            for name, event in collected.items()
        }
        self.sinks = [
            it.name for it in plan.steps.values() if not any(emitted in hears for emitted in it.emits)
        ]


@dataclass(repr=False)
class ModelRun:
    """One run.

    Attributes:
        plan: Its flow.
        value: Its input.
        numbers: Where the places of jobs come from; all runs of a store share it.
        status: As in the ledger.
        due: Its activations by step id.
        log: What its log should have.
        emitted: The emissions that count for joins and collects.
        heard: For each join the payload of the first emission of each event.
        skipped: Collects whose branch was not taken.
        results: Last result of each sink.
        values: Handler state.
        error: Message of the error that it fails with.
        has_failed: Whether a step has failed.
    """

    plan: Plan
    value: Any
    numbers: Iterator[int]
    status: str = "running"
    due: dict[str, Due] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    emitted: list[tuple[str, Any]] = field(default_factory=list)
    heard: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    results: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    has_failed: bool = False

    def __post_init__(self) -> None:
        self.meaning = Meaning(self.plan)
        entry = self._make_due(self.plan.entry, "0", "", self.value)
        self._record("flow.start", None, to=[entry])

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in ("completed", "failed")

    @property
    def is_at_rest(self) -> bool:
        """Whether it has ended because nothing was left to do."""
        return self.is_over and not self.has_failed

    @property
    def result(self) -> Any:
        """What it completes with."""
        sinks = self.meaning.sinks
        return self.results.get(sinks[0]) if len(sinks) == 1 else dict(self.results)

    def open(self, *states: str) -> list[Due]:
        """The activations in some of the open states, or in any."""
        return [it for it in self.due.values() if it.state in (states or OPEN)]

    def refusal(self, step_id: str, token: str) -> str | None:
        """What a call with a token is answered that must not be carried out."""
        due = self.due[step_id]
        if self.is_over:
            return "ENDED"
        if due.state not in ("waiting", "delayed", "leased"):
            return "SETTLED"
        if due.state == "leased" and due.token == token:
            return None
        return "DUP" if due.last == token else "FENCED"

    def lease(self, step_id: str, token: str, *, until_ms: int) -> Due:
        """Somebody has got it."""
        due = self.due[step_id]
        assert self.status == "running", f"{step_id} of a {self.status} run was handed out"
        assert due.state == "waiting", f"{step_id} was handed out, and is {due}"
        due.state, due.token, due.until_ms = "leased", token, until_ms
        due.attempt += 1
        due.lines = 0
        return due

    def report(self, step_id: str, lines: int) -> None:
        """A running attempt has recorded lines of its log."""
        due = self.due[step_id]
        due.lines += lines
        for _ in range(lines):
            self._record("log", due)

    def release(self, step_id: str, *, due_at_ms: int | None, is_told: bool) -> None:
        """Given back un-started: the attempt does not count."""
        due = self.due[step_id]
        if is_told:
            self._record("step.unroutable", due)
        due.last, due.token = due.token, ""
        due.attempt -= 1
        due.state, due.until_ms = ("waiting", 0) if due_at_ms is None else ("delayed", due_at_ms)
        self._drop_if_ending(due)

    def lose(self, step_id: str, sweeper: str, *, max_losses: int, until_ms: int) -> bool:
        """Its lease is over; answers whether the sweeper has it now, to fail it."""
        due = self.due[step_id]
        due.losses += 1
        self._record("step.lost", due, losses=due.losses)
        if self.status == "running" and due.losses >= max_losses:
            due.token, due.lines, due.until_ms = sweeper, 0, until_ms
            return True
        due.state, due.token = "waiting", ""
        self._drop_if_ending(due)
        return False

    def promote(self, now_ms: int) -> None:
        """What is delayed falls due."""
        for due in self.open("delayed"):
            if due.until_ms <= now_ms:
                due.state = "waiting"

    def commit(
        self,
        step_id: str,
        *,
        emits: Emits = (),
        staged: Emits = (),
        lines: int = 0,
        changes: Sequence[Mapping[str, Any]] = (),
        result: Any = None,
        is_skipped: bool = False,
    ) -> None:
        """Settled as completed or skipped."""
        due = self.due[step_id]
        self.report(step_id, lines)
        for change in changes:
            self._change(change)
            self._record("state", due, **change)
        for number, (event, payload) in enumerate(emits, start=1):
            self._emit(due, event, payload, number)
        is_wide = bool(staged) and self.status == "running"
        due.state, due.token = ("unfolding" if is_wide else "settled"), ""
        due.staged = staged if is_wide else ()
        if due.step in self.meaning.sinks and self.status == "running" and not is_skipped:
            self.results[due.step] = result
        data: dict[str, Any] = {} if is_skipped else {"result": result}
        if staged:
            data["emits"] = len(staged)
        self._record("step.skipped" if is_skipped else "step.completed", due, **data, to=self._decide())
        self._end_if_nothing_is_left()

    def unfold(self, step_id: str, upto: int) -> None:
        """A wide fan-out is laid out up to a number."""
        due = self.due[step_id]
        assert due.laid < upto <= len(due.staged), f"{step_id} is laid out up to {upto}: {due}"
        for number in range(due.laid + 1, upto + 1):
            event, payload = due.staged[number - 1]
            self._emit(due, event, payload, number, k=number)
        due.laid = upto
        if upto == len(due.staged):
            due.state = "settled"
        # What a part sets off stands with its last emission.
        self.log[-1].data["to"].extend(self._decide())
        self._end_if_nothing_is_left()

    def fail(self, step_id: str, *, message: str, lines: int = 0) -> None:
        """Settled as failed."""
        due = self.due[step_id]
        self.report(step_id, lines)
        due.state, due.token = "settled", ""
        if self.status == "running":
            self.status, self.error, self.has_failed = "failing", message, True
            self._record("step.failed", due, ends=True)
        else:
            self._record("step.failed", due)
        self._end_if_nothing_is_left()

    def _change(self, change: Mapping[str, Any]) -> None:
        match change:
            case {"op": "set", "key": key, "value": value}:
                self.values[key] = value
            case {"op": "incr", "key": key, "by": by}:
                self.values[key] = self.values.get(key, 0) + by
            case {"op": "delete", "key": key}:
                self.values.pop(key, None)

    def _record(self, kind: str, due: Due | None, **data: Any) -> None:
        step_id, attempt = (due.step_id, due.attempt) if due else (None, None)
        self.log.append(Entry(kind, step_id, attempt, data))

    def _make_due(self, step: str, path: str, event: str, value: Any) -> str:
        number = 1 + sum(it.step == step for it in self.due.values())
        step_id = f"{step}#{number}"
        place = (self.plan.steps[step].priority, next(self.numbers))
        self.due[step_id] = Due(step, step_id, path, event, value, place)
        return step_id

    def _emit(self, due: Due, event: str, payload: Any, number: int, **k: int) -> None:
        path, to = f"{due.path}.{number}", []
        if self.status == "running":
            self.emitted.append((event, payload))
            for step in self.plan.steps.values():
                if event not in step.subscribes:
                    continue
                if step.trigger == "any":
                    to.append(self._make_due(step.name, f"{path}.{step.index}", event, payload))
                if step.trigger == "all":
                    heard = self.heard.setdefault(step.name, {})
                    if event not in heard:
                        heard[event] = payload
                        if heard.keys() == set(step.subscribes):
                            to.append(self._make_due(step.name, f"j{step.index}", event, dict(heard)))
        self._record("emit", due, event=event, path=path, payload=payload, to=to, **k)

    def _undecided(self) -> list[str]:
        if self.status != "running":
            return []
        made = {it.step for it in self.due.values()}
        return [name for name in self.plan.collects if name not in made | self.skipped]

    def _decide(self) -> list[str]:
        """Fire or skip each collect before which nothing is left; the activations made, in their order."""
        fired: list[str] = []
        while ready := [name for name in self._undecided() if self._nothing_is_before(name)]:
            step = self.plan.steps[ready[0]]
            (event,) = step.subscribes
            payloads = [payload for emitted, payload in self.emitted if emitted == event]
            if payloads or any(it.step in self.meaning.sure[step.name] for it in self.due.values()):
                fired.append(self._make_due(step.name, f"j{step.index}", event, payloads))
            else:
                self.skipped.add(step.name)
        return fired

    def _nothing_is_before(self, collect: str) -> bool:
        before = self.meaning.before[collect]
        return before.isdisjoint(self._undecided()) and before.isdisjoint(it.step for it in self.open())

    def _drop_if_ending(self, due: Due) -> None:
        if self.status != "running":
            due.state = "dropped"
        self._end_if_nothing_is_left()

    def _end_if_nothing_is_left(self) -> None:
        if self.status == "failing" and not self.open("leased"):
            self._end("failed")
        elif self.status == "running" and not self.open() and not self._undecided():
            self.error = self._what_joins_miss()
            self._end("failed" if self.error else "completed")

    def _what_joins_miss(self) -> str | None:
        told = []
        for step in self.plan.steps.values():
            heard = self.heard.get(step.name, {}) if step.trigger == "all" else {}
            missing = [f"`{event}`" for event in step.subscribes if event not in heard]
            if heard and missing:
                has = [f"`{event}`" for event in step.subscribes if event in heard]
                told.append(f"join `{step.name}` has {', '.join(has)} and misses {', '.join(missing)}")
        return "; ".join(told) or None

    def _end(self, status: str) -> None:
        self.status = status
        if status == "completed":
            self._record("flow.completed", None, result=self.result)
        else:
            self._record("flow.failed", None, message=self.error)


def closure(plan: Plan, emitted: Mapping[tuple[str, str], Emits]) -> set[tuple[str, str]]:
    """Steps and paths of all activations of a run at its end, in whatever order its work was done.

    Args:
        plan: Its flow.
        emitted: What each activation has emitted.
    """
    meaning = Meaning(plan)
    found = {(plan.entry, "0")}
    size = 0
    while size < len(found):
        size = len(found)
        come = {event for made in found for event, _ in emitted.get(made, ())}
        ran = {step for step, _ in found}
        for step in plan.steps.values():
            if step.trigger == "any":
                found |= {
                    (step.name, f"{path}.{number}.{step.index}")
                    for maker, path in tuple(found)
                    for number, (event, _) in enumerate(emitted.get((maker, path), ()), start=1)
                    if event in step.subscribes
                }
            elif step.trigger == "all":
                fires = come.issuperset(step.subscribes)
            else:
                fires = come.issuperset(step.subscribes) or bool(ran & meaning.sure[step.name])
            if step.trigger != "any" and fires:
                found.add((step.name, f"j{step.index}"))
    return found
