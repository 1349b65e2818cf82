"""How far a process reaches ahead: how many jobs it may have in hand that are not settled yet.

Too few, and threads and server wait for each other; too many, and jobs wait here while
another worker has nothing to do. So a process may always have a few more than it has
threads, and many more while all of them together are little work: what steps have taken
lately says how much. A step that was never seen counts as all the work that is allowed.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

#: Work, in milliseconds of a thread's time, that a process may reach ahead for each of its threads.
REACH_MS: Final = 20.0

#: Jobs in hand for each thread, at most, those included whose settlement is on its way.
MOST_A_THREAD: Final = 8

#: How much the latest duration of a step counts against those before it.
_WEIGHT: Final = 0.2

#: Steps whose durations are remembered, at most.
_REMEMBERED: Final = 10_000


class Reach:
    """What is in hand, as a number of jobs and as an estimate of work. Not safe to share: the caller locks.

    Attributes:
        jobs: Jobs that are waiting or running here, and those that are asked for with a settlement.
        few: Jobs that may always wait here when every thread is busy.
        work_ms: What they will take, about, in milliseconds of a thread's time.
    """

    def __init__(self, threads: int) -> None:
        self.jobs = 0
        self.work_ms = 0.0
        self.few = threads // 4
        self._threads = threads
        self._always = threads + self.few
        self._most = MOST_A_THREAD * threads
        self._budget_ms = REACH_MS * threads
        self._durations: OrderedDict[str, float] = OrderedDict()
        self._mean_ms = self._budget_ms

    def cost(self, step: str | None = None) -> float:
        """What a job of a step will take, about; without a step, any job."""
        return self._mean_ms if step is None else self._durations.get(step, self._budget_ms)

    def add(self, cost_ms: float) -> None:
        """Take a job of this cost in."""
        self.jobs += 1
        self.work_ms += cost_ms

    def remove(self, cost_ms: float) -> None:
        """Let go of a job that was added with this cost."""
        self.jobs -= 1
        self.work_ms = self.work_ms - cost_ms if self.jobs else 0.0

    def learn(self, step: str, duration_ms: float) -> None:
        """Note what a step has taken."""
        last = self._durations.pop(step, duration_ms)
        self._durations[step] = last + _WEIGHT * (duration_ms - last)
        if len(self._durations) > _REMEMBERED:
            self._durations.popitem(last=False)
        self._mean_ms += _WEIGHT * (duration_ms - self._mean_ms)

    @property
    def idle_threads(self) -> int:
        """Threads that no job is there for."""
        return max(0, self._threads - self.jobs)

    def may_follow(self) -> bool:
        """Whether a job that is about to be removed may ask for another one in its place."""
        return self.jobs <= self._always or self.work_ms < self._budget_ms

    def room(self, held: int) -> int:
        """How many more jobs may be taken in, when so many are held in all."""
        ahead = max(0.0, self._budget_ms - self.work_ms) / max(self._mean_ms, 0.05)
        return max(0, min(self._most - held, max(self._always - self.jobs, int(ahead))))
