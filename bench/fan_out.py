"""A wide fan-out and its collect: how long it takes, and for how long one command holds the server.

    python -m bench.fan_out [--items 10000] [--subscribers 1] [--threads 8]

A run's first step emits the items, each subscriber works on every item, and a collect counts
what they emitted. The slow log of the server tells the longest commands. Its times include the
time in which the server was off the processor; where the system lets us, the server gets
real-time priority, so that they are its own, and what was waited for anyway is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import redis

from bench.serving import (
    EVENTS_MAX_LEN,
    PREFIX,
    completed,
    deployed,
    fresh_server,
    in_own_process,
    open_store,
    worker_of,
)
from engine import Context, Job
from engine.store.keys import Keys
from engine.store.script import NAMES, assemble

#: No command may hold the server for longer.
BOUND_US = 5_000
#: What is shorter is not looked at.
SLOW_US = 500

FLOW = """\
flow: fan-out
steps:
  spread: {role: entry, handler: "fan_out:spread", emits: [item.found]}
  count: {subscribes: {collect: item.done}, handler: "fan_out:count"}
"""
WORK = """\
  work-NUMBER: {subscribes: item.found, handler: "fan_out:work", emits: [item.done]}
"""


def spread(job: Job, ctx: Context) -> None:
    for number in range(job.data):
        ctx.flow.emit("item.found", {"number": number})


def work(job: Job, ctx: Context) -> None:
    ctx.flow.emit("item.done", {"square": job.data["number"] ** 2})


def count(job: Job, ctx: Context) -> int:
    return len(job.data)


HANDLERS = {f"fan_out:{handler.__name__}": handler for handler in (spread, work, count)}


def run_to_end(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """One run in this process, from its start to its end."""
    store = open_store(url)
    flow = FLOW + "".join(WORK.replace("NUMBER", str(each + 1)) for each in range(options.subscribers))
    plan = deployed(store, flow)
    worker = worker_of(store, plan, HANDLERS, threads=options.threads, fan_out=max(20_000, options.items))
    worker.start()
    elapsed_s, counted = completed(store, plan, options.items)
    worker.stop(1000)
    return {"elapsed_s": elapsed_s, "counted": counted}


def prefer(process_id: int) -> bool:
    """Give a process real-time priority; whether the system lets us."""
    try:
        os.sched_setscheduler(process_id, os.SCHED_FIFO, os.sched_param(50))
    except (AttributeError, OSError):
        return False
    return True


def waited_s(process_id: int) -> float | None:
    """Seconds for which a process was ready and had no processor, where the system tells."""
    try:
        _, waited_ns, _ = Path(f"/proc/{process_id}/schedstat").read_text().split()
    except OSError:
        return None
    return int(waited_ns) / 1e9


def longest(client: redis.Redis) -> dict[str, list[int]]:
    """Durations in microseconds of the slow commands, by command; a script has its own name."""
    scripts = {
        assemble(name, Keys(PREFIX), events_max_len=EVENTS_MAX_LEN).sha.encode(): name for name in NAMES
    }
    found: dict[str, list[int]] = defaultdict(list)
    for entry in client.slowlog_get(100_000):
        words = entry["command"].split()
        name = scripts.get(words[1], "another script") if words[0] == b"EVALSHA" else words[0].decode()
        found[name].append(entry["duration"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--subscribers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        print(json.dumps(run_to_end(options.url, options)))
        return
    with fresh_server() as url:
        client = redis.Redis.from_url(url)
        server = client.info("server")["process_id"]
        own_time = prefer(server)
        client.config_set("slowlog-max-len", 100_000)
        client.config_set("slowlog-log-slower-than", SLOW_US)
        client.slowlog_reset()
        before_s = waited_s(server)
        found = in_own_process("bench.fan_out", *sys.argv[1:], "--url", url)
        after_s = waited_s(server)
        slow = longest(client)
    if found["counted"] != options.items * options.subscribers:
        raise SystemExit(f"counted {found['counted']} of {options.items * options.subscribers} items")
    asked = f"{options.items:,} items, {options.subscribers} subscriber(s)"
    print(f"fan-out of {asked}, one process of {options.threads} threads")
    print(f"  start to end          {found['elapsed_s']:.1f} s")
    over = sum(each > BOUND_US for all_of in slow.values() for each in all_of)
    print(f"  commands over {BOUND_US / 1000:g} ms    {over}")
    tops = sorted(((max(all_of), name) for name, all_of in slow.items()), reverse=True)
    print("  longest commands      " + ", ".join(f"{name} {us / 1000:.1f} ms" for us, name in tops[:3]))
    if before_s is not None and after_s is not None:
        print(f"  server kept waiting   {(after_s - before_s) * 1000:.0f} ms in all")
    if not own_time:
        print("  (no right to real-time priority: times include those in which the server had no processor)")


if __name__ == "__main__":
    main()
