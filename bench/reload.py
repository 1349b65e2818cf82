"""From a save to a run of what was saved, with `flowengine dev`.

    python -m bench.reload [--saves 40] [--flows 1 20 100]

A project has so many flows of three steps, each with a module of its own, and `dev` serves it on the
project's own server. A flow file, or a module, is written again and again; measured is from the end of
the write to the new version in force in the store, and to the end of the first run that has it. Under
load, other runs are started meanwhile, one for each that ends.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.serving import PAYLOAD_BYTES, wait_for
from engine.compile.plan import Plan
from engine.compile.planner import plan_of
from engine.control.deploy import plan_in_force
from engine.control.start import start
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.embedded.server import EmbeddedServer
from engine.store.connection import Store
from engine.store.log import EventLog

FLOW = """\
flow: f{flow}
labels: {{save: "{save}"}}
steps:
  one: {{role: entry, handler: "handlers.h{flow}:one", emits: [a]}}
  two: {{subscribes: a, handler: "handlers.h{flow}:two", emits: [b]}}
  three: {{subscribes: b, handler: "handlers.h{flow}:three"}}
"""

MODULE = """\
SAVE = {save}


def one(job, ctx):
    ctx.flow.emit("a")


def two(job, ctx):
    ctx.flow.emit("b")


def three(job, ctx):
    return SAVE
"""

#: Runs of other saves that go on at once under load.
_LOAD_RUNS = 16

_LIMIT_S = 30

#: Between two saves, so that each is one of its own.
_PAUSE_S = 0.25


class Project:
    """The project, and its store."""

    def __init__(self, root: Path, store: Store, flows: int) -> None:
        self.root = root
        self.store = store
        self.flows = flows

    def save_flow(self, flow: int, save: int) -> str:
        """Write a flow file; answers its version."""
        text = FLOW.format(flow=flow, save=save)
        document = read_yaml("bench.yaml", text).document
        if document is None:
            raise SystemExit("the flow of this measurement cannot be read")
        version = plan_of(parse(document)).version
        (self.root / "flows" / f"f{flow}.yaml").write_text(text)
        return version

    def save_module(self, flow: int, save: int) -> None:
        """Write a module, whose last step then returns the number of the save."""
        (self.root / "handlers" / f"h{flow}.py").write_text(MODULE.format(save=save))

    def in_force(self, flow: int) -> Plan:
        """The plan of a flow that a new run gets."""
        return plan_in_force(self.store, f"f{flow}")

    def run(self, plan: Plan) -> int:
        """A run from start to end; answers what its last step returned."""
        run_id = start(self.store, plan, input={}, limit_bytes=PAYLOAD_BYTES).run_id
        log, after = EventLog(self.store), "0-0"
        while True:
            for event in log.wait(run_id, after=after, timeout_ms=1_000):
                if event.type == "flow.completed":
                    return int(event.data["result"])
                after = event.id


@contextmanager
def served(flows: int) -> Iterator[Project]:
    """A project with so many flows that `dev` serves."""
    with tempfile.TemporaryDirectory(prefix="flowengine-bench-") as folder:
        root = Path(folder)
        for name in ("flows", "handlers"):
            (root / name).mkdir()
        with EmbeddedServer(root) as server:
            store = Store(server.url, address="here", prefix="nq", events_max_len=100_000)
            project = Project(root, store, flows)
            for flow in range(flows):
                project.save_flow(flow, 0)
                project.save_module(flow, 0)
            dev = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine", "dev"], cwd=root, stderr=subprocess.PIPE, text=True
            )
            try:
                assert dev.stderr is not None
                next(line for line in dev.stderr if "Ctrl-C stops it" in line)
                threading.Thread(target=dev.stderr.read, daemon=True).start()
                yield project
            finally:
                dev.terminate()
                dev.wait()
                store.close()


@contextmanager
def loaded(project: Project, *, is_on: bool) -> Iterator[None]:
    """Runs of the last flow go on for as long as the block lasts, if that is wanted."""
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.is_set():
            project.run(project.in_force(project.flows - 1))

    threads = [threading.Thread(target=go_on) for _ in range(_LOAD_RUNS if is_on else 0)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def flow_saved(project: Project, save: int) -> list[float]:
    """Milliseconds from the end of a save of a flow to its version in force, and to a run on it."""
    version = project.save_flow(0, save)
    begun = time.perf_counter()
    wait_for(lambda: project.in_force(0).version == version, _LIMIT_S)
    in_force = time.perf_counter()
    project.run(project.in_force(0))
    return [(at - begun) * 1_000 for at in (in_force, time.perf_counter())]


def module_saved(project: Project, save: int) -> list[float]:
    """Milliseconds from the end of a save of a module to the end of the first run of its code."""
    plan = project.in_force(0)
    project.save_module(0, save)
    begun = time.perf_counter()
    wait_for(lambda: project.run(plan) == save, _LIMIT_S)
    return [(time.perf_counter() - begun) * 1_000]


def told(took_ms: list[float]) -> str:
    """p50, p99 and the longest."""
    took_ms = sorted(took_ms)
    p50, p99 = (took_ms[int(len(took_ms) * part)] for part in (0.5, 0.99))
    return f"{p50:>5.0f} {p99:>5.0f} {took_ms[-1]:>5.0f}"


def measure(flows: int, saves: int, *, is_loaded: bool) -> None:
    deeds: dict[str, Callable[[Project, int], list[float]]] = {"flow": flow_saved, "module": module_saved}
    for saved, deed in deeds.items():
        with served(flows) as project, loaded(project, is_on=is_loaded):
            took = []
            for save in range(1, saves + 1):
                took.append(deed(project, save))
                time.sleep(_PAUSE_S)
        columns = [told(list(column)) for column in zip(*took, strict=True)]
        in_force = columns[0] if len(columns) > 1 else f"{'':17}"
        print(
            f"{flows:>5}  {'runs' if is_loaded else 'idle'}  {saved:6}  {in_force}    {columns[-1]}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--flows", type=int, nargs="+", default=[1, 20, 100])
    options = parser.parse_args()
    print(f"save to live in ms, {options.saves} saves each: p50, p99, longest")
    print("flows  load  saved   in force in store    first run done")
    for flows in options.flows:
        for is_loaded in (False, True):
            measure(flows, options.saves, is_loaded=is_loaded)


if __name__ == "__main__":
    main()
