"""A project for workers that are killed, frozen and stopped: a flow whose handlers do what the input says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from engine.compile.build import build
from engine.embedded.server import EmbeddedServer
from engine.registry.plans import LinkedPlan
from tests.acceptance.command import LIMIT_S, Project
from tests.support.wait import wait_until

FLOW = """\
flow: mill
steps:
  a_cut: {role: entry, handler: handlers.mill:cut, emits: [cut]}
  b_mill: {subscribes: cut, handler: handlers.mill:grind, emits: [milled]}
  c_pack: {subscribes: milled, handler: handlers.mill:pack}
"""

#: `data[step]` says what a step does: `gate` waits for a file, on the first attempt only unless `always`;
#: `exit` ends the process; `ms` takes so long. Each attempt that begins leaves a file
#: `<run>.<step>.<attempt>`.
HANDLERS = """\
import os
import pathlib
import time


def act(job, ctx, step):
    marks = pathlib.Path("marks")
    marks.mkdir(exist_ok=True)
    (marks / f"{ctx.flow.run_id}.{step}.{job.attempt}").touch()
    wish = job.data.get(step, {})
    if "exit" in wish:
        os._exit(wish["exit"])
    if "gate" in wish and (job.attempt == 1 or wish.get("always")):
        while not pathlib.Path(wish["gate"]).exists():
            time.sleep(0.01)
    time.sleep(wish.get("ms", 0) / 1000)
    ctx.state.incr(step)


def cut(job, ctx):
    act(job, ctx, "a_cut")
    ctx.flow.emit("cut", job.data)


def grind(job, ctx):
    act(job, ctx, "b_mill")
    ctx.flow.emit("milled", job.data)


def pack(job, ctx):
    act(job, ctx, "c_pack")
    return job.attempt
"""

STEPS = ("a_cut#1", "b_mill#1", "c_pack#1")


class Mill(Project):
    """The project, and workers that it starts as processes of their own."""

    def __init__(self, root: Path, **env: str) -> None:
        super().__init__(root, env)
        self.workers: list[subprocess.Popen[str]] = []
        self.write("flows/mill.yaml", FLOW)
        self.write("handlers/mill.py", HANDLERS)

    @property
    def flow(self) -> LinkedPlan:
        """The flow as it is in the store."""
        [plan] = build([self.root / "flows"], root=self.root, import_handlers=False).plans
        return LinkedPlan(plan, {})

    def worker(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A worker that has said that it is ready."""
        worker = self.begin_worker(*arguments, **options)
        assert worker.stderr is not None
        for line in worker.stderr:
            if "Ctrl-C stops it" in line:
                return worker
        raise AssertionError(f"the worker left with {worker.wait()}")

    def begin_worker(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A worker that has just been started."""
        worker = self.start("worker", *arguments, **options)
        self.workers.append(worker)
        return worker

    def has_begun(self, run_id: str, step: str, attempt: int = 1) -> bool:
        """Whether an attempt has begun."""
        return (self.root / "marks" / f"{run_id}.{step}.{attempt}").exists()

    def wait_for(self, run_id: str, step: str, attempt: int = 1) -> None:
        """Wait until an attempt has begun."""
        wait_until(
            lambda: self.has_begun(run_id, step, attempt),
            timeout_s=LIMIT_S,
            saw=lambda: sorted(path.name for path in (self.root / "marks").glob("*")),
        )

    def close(self) -> None:
        """Kill what is left, and stop the project's own server, which outlives those who are killed."""
        for worker in self.workers:
            worker.kill()
            worker.communicate()
        if (self.root / ".flowengine").exists():
            with EmbeddedServer(self.root):
                pass
