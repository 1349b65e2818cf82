"""Many `async def` steps that wait at once, in one process: how long it takes, and how much memory.

    python bench/waiting.py [--steps 5000] [--seconds 1] [--async-steps 5000] [--threads 8]

A run fans out into the steps, each sleeps on the event loop, and a collect counts them. The
worker is a process of its own, on a fresh server; its memory is the most that it ever had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

sys.path.insert(0, str(Path(__file__).parent.parent))

from engine import AsyncContext, Context, Job
from engine.compile.planner import plan_of
from engine.control.deploy import deploy
from engine.control.start import start
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.embedded.server import EmbeddedServer
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.connection import Store
from engine.store.log import EventLog
from engine.store.plans import Plans
from engine.worker.limits import Limits
from engine.worker.process import WorkerProcess

PREFIX = "bench"

FLOW = """\
flow: waiting
steps:
  spread: {role: entry, handler: "waiting:spread", emits: [item]}
  wait: {subscribes: item, handler: "waiting:wait", emits: [done]}
  count: {subscribes: {collect: done}, handler: "waiting:count"}
"""

#: Handlers that wait now, and the most that did at once.
waiting = {"now": 0, "most": 0}


def spread(job: Job, ctx: Context) -> None:
    for _ in range(job.data["steps"]):
        ctx.flow.emit("item", job.data["seconds"])


async def wait(job: Job, ctx: AsyncContext) -> None:
    waiting["now"] += 1
    waiting["most"] = max(waiting.values())
    await asyncio.sleep(job.data)
    waiting["now"] -= 1
    ctx.flow.emit("done")


def count(job: Job, ctx: Context) -> int:
    return len(job.data)


HANDLERS = {f"waiting:{handler.__name__}": handler for handler in (spread, wait, count)}


def measure(url: str, options: argparse.Namespace) -> dict[str, float]:
    """One run in this process, from its start to its end."""
    document = read_yaml("waiting.yaml", FLOW).document
    if document is None:
        raise SystemExit("the flow of this script cannot be read")
    plan = plan_of(parse(document))
    store = Store(url, address=url, prefix=PREFIX, events_max_len=100_000)
    deploy(store, plan, source="", mode="serve")
    registry = Registry()
    registry.swap([plan], HANDLERS)
    worker = WorkerProcess(
        store,
        registry=registry,
        pins=Pins(registry, Plans(store), HANDLERS.__getitem__),
        limits=Limits(
            threads=options.threads,
            async_steps=options.async_steps,
            lease_ms=15_000,
            max_deliveries=5,
            payload_bytes=1 << 20,
            fan_out=max(20_000, options.steps),
            gather_bytes=1 << 26,
            release="bench",
        ),
        died=lambda why: os._exit(70),
    )
    worker.start()
    before_bytes, cpu, begun = peak_bytes(), os.times(), time.perf_counter()
    data = {"steps": options.steps, "seconds": options.seconds}
    run_id = start(store, plan, input=data, limit_bytes=1 << 20).run_id
    client = redis.Redis.from_url(url)
    while client.zscore(f"{PREFIX}:runs:ended", run_id) is None:
        time.sleep(0.01)
    elapsed, used = time.perf_counter() - begun, os.times()
    peak = peak_bytes()
    *_, end = EventLog(store).read_all(run_id)
    worker.stop(1000)
    return {
        "elapsed_s": elapsed,
        "cpu_s": used.user + used.system - cpu.user - cpu.system,
        "peak_mb": peak / 1e6,
        "before_mb": before_bytes / 1e6,
        "most": waiting["most"],
        "counted": end.data.get("result", 0),
    }


def peak_bytes() -> int:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--async-steps", type=int, default=5_000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        print(json.dumps(measure(options.url, options)))
        return
    with (
        tempfile.TemporaryDirectory(prefix="flowengine-bench-") as name,
        EmbeddedServer(Path(name)) as server,
    ):
        command = [sys.executable, __file__, *sys.argv[1:], "--url", server.url]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    found: dict[str, float] = json.loads(done.stdout)
    if found["counted"] != options.steps:
        raise SystemExit(f"counted {found['counted']} of {options.steps} steps")
    print(
        f"{options.steps:,} steps that sleep {options.seconds:g} s, {options.async_steps:,} at once at most"
    )
    print(f"  start to end    {found['elapsed_s']:.1f} s, of which {found['cpu_s']:.1f} s of processor time")
    print(f"  memory          {found['peak_mb']:.0f} MB at most, {found['before_mb']:.0f} MB before the run")
    print(f"  slept at once   {found['most']:,}")


if __name__ == "__main__":
    main()
