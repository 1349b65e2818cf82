"""Many `async def` steps that wait at once, in one process: how long it takes, and how much memory.

    python -m bench.waiting [--steps 5000] [--seconds 1] [--async-steps 5000] [--threads 8]

A run fans out into the steps, each sleeps on the event loop, and a collect counts them. The
worker is a process of its own, on a fresh server; its memory is the most that it ever had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys

from bench.serving import (
    completed,
    deployed,
    fresh_server,
    in_own_process,
    open_store,
    worker_of,
)
from engine import AsyncContext, Context, Job

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
    store = open_store(url)
    plan = deployed(store, FLOW)
    worker = worker_of(
        store,
        plan,
        HANDLERS,
        threads=options.threads,
        async_steps=options.async_steps,
        fan_out=max(20_000, options.steps),
    )
    worker.start()
    before_bytes, cpu = peak_bytes(), os.times()
    elapsed_s, counted = completed(store, plan, {"steps": options.steps, "seconds": options.seconds})
    peak, used = peak_bytes(), os.times()
    worker.stop(1000)
    return {
        "elapsed_s": elapsed_s,
        "cpu_s": used.user + used.system - cpu.user - cpu.system,
        "peak_mb": peak / 1e6,
        "before_mb": before_bytes / 1e6,
        "most": waiting["most"],
        "counted": counted,
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
    with fresh_server() as url:
        found = in_own_process("bench.waiting", *sys.argv[1:], "--url", url)
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
