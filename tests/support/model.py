"""What the scripts should make of a run, in plain Python: the model that properties hold them against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.compile.plan import Plan


@dataclass
class ModelRun:
    """One run.

    Attributes:
        plan: Its flow.
        status: As in the ledger.
        waiting: Step ids that are waiting or delayed.
        leased: Step ids that somebody has.
        created: Activations of each step.
        results: Last result of each sink.
        values: Handler state.
        failed_step: The step that failed first.
        settled: Step ids in the order in which they were settled.
        attempts: Hand-outs of each step id that were not given back.
        lines: Number of `log` events.
    """

    plan: Plan
    status: str = "running"
    waiting: set[str] = field(default_factory=set)
    leased: set[str] = field(default_factory=set)
    created: dict[str, int] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    failed_step: str | None = None
    settled: list[str] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    lines: int = 0

    def __post_init__(self) -> None:
        self._make_due(self.plan.entry)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in ("completed", "failed")

    @property
    def result(self) -> Any:
        """What it completed with."""
        sinks = self.plan.sinks
        return self.results.get(sinks[0]) if len(sinks) == 1 else dict(self.results)

    def _make_due(self, step: str) -> None:
        self.created[step] = self.created.get(step, 0) + 1
        self.waiting.add(f"{step}#{self.created[step]}")

    def lease(self, step_id: str, attempt: int) -> None:
        """Somebody has got it, and was told which attempt it is."""
        assert self.status == "running", f"{step_id} of a {self.status} run was handed out"
        assert step_id in self.waiting, f"{step_id} was handed out while {self}"
        self.waiting.remove(step_id)
        self.leased.add(step_id)
        self.attempts[step_id] = self.attempts.get(step_id, 0) + 1
        assert attempt == self.attempts[step_id]

    def release(self, step_id: str) -> None:
        """Given back un-started: the attempt does not count."""
        self.attempts[step_id] -= 1
        self.lose(step_id)

    def lose(self, step_id: str) -> None:
        """It waits again, or is dropped where the run is failing."""
        self.leased.remove(step_id)
        if self.status == "running":
            self.waiting.add(step_id)
        self._end_if_idle()

    def commit(
        self, step_id: str, *, emits: Iterable[str], added: int, result: Any, is_skipped: bool = False
    ) -> None:
        """Settled as completed or skipped."""
        self.leased.remove(step_id)
        self.settled.append(step_id)
        if added:
            self.values["n"] = self.values.get("n", 0) + added
        if self.status == "running":
            for event in emits:
                for step in self.plan.subscribers.get(event, ()):
                    self._make_due(step)
            step = step_id.rpartition("#")[0]
            if step in self.plan.sinks and not is_skipped:
                self.results[step] = result
            if not self.waiting and not self.leased:
                self.status = "completed"
        self._end_if_idle()

    def fail(self, step_id: str) -> None:
        """Settled as failed."""
        self.leased.remove(step_id)
        self.settled.append(step_id)
        if self.status == "running":
            self.status = "failing"
            self.failed_step = step_id.rpartition("#")[0]
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self.status == "failing" and not self.leased:
            self.status = "failed"
