"""What the commands share that serve flows until they are stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping

from engine.compile.build import Built
from engine.worker.process import WorkerProcess
from engine.worker.vital import Death

from .failure import BUG, BUG_SENTENCE, UNBLOCK, complain
from .lines import short_version
from .output import count_of, format_duration, say, table
from .project import Project


def who_works(project: Project, worker_id: str) -> str:
    """Which worker works where, and how much at a time."""
    settings = project.settings
    threads = count_of(settings.worker.threads, "thread")
    async_steps = count_of(settings.worker.async_steps, "async step")
    return f"worker {worker_id} on {settings.redis.address} with {threads}, {async_steps} at a time"


def flow_table(built: Built, later: Mapping[str, str]) -> list[str]:
    """The flows that are served, with their versions and files.

    Args:
        built: The flows.
        later: By flow, the version that stays in force where that is a later one.
    """
    rows = []
    for plan in built.plans:
        in_force = later.get(plan.flow)
        note = f"in force is {short_version(in_force)}, which came later" if in_force else ""
        version, steps = short_version(plan.version), count_of(len(plan.steps), "step")
        rows.append((plan.flow, version, steps, built.files[plan.flow], note))
    return table(("FLOW", "VERSION", "", "FILE", ""), rows)


def how_to_stop(project: Project) -> str:
    """What Ctrl-C does."""
    grace = format_duration(project.settings.worker.grace_ms)
    return f"Ctrl-C stops it; running steps then have {grace} to end"


def stop_in_order(worker: WorkerProcess, grace_ms: int) -> None:
    """Let running steps end, and say so.

    Raises:
        KeyboardInterrupt: At the second signal.
    """
    say(
        f"taking no more steps; running ones have {format_duration(grace_ms)} to end "
        "(Ctrl-C again leaves at once)"
    )
    worker.stop(grace_ms)
    say("stopped")


def die(death: Death) -> None:
    """End the process without ceremony: what it holds is taken over when its leases are over."""
    complain(f"{UNBLOCK}; this process ends" if death.is_handlers else BUG_SENTENCE)
    os._exit(BUG)
