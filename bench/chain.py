"""A three-step chain of no-op handlers: flowengine beside stock Dramatiq, in one run.

    python bench/chain.py [--runs 3000] [--rounds 3] [--threads 8]

Both work through the same number of chains that were enqueued before, in one process of
their own, on a fresh server of the same program; rounds are interleaved, and the medians are
compared. flowengine records every transition twice (log and feed), Dramatiq records nothing.
What is printed are ratios and counts: absolute numbers say more of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

sys.path.insert(0, str(Path(__file__).parent.parent))

from engine import Context, Job
from engine.compile.plan import Plan, StepPlan
from engine.control.deploy import deploy
from engine.control.start import start
from engine.embedded.server import EmbeddedServer
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.connection import Store
from engine.store.plans import Plans
from engine.worker.limits import Limits
from engine.worker.process import WorkerProcess

STEPS = 3
IDLE_RUNS = 200
PREFIX = "bench"


def first(job: Job, ctx: Context) -> None:
    ctx.flow.emit("one", job.data)


def second(job: Job, ctx: Context) -> None:
    ctx.flow.emit("two", job.data)


def third(job: Job, ctx: Context) -> None:
    pass


HANDLERS = {"chain:first": first, "chain:second": second, "chain:third": third}

PLAN = Plan(
    flow="chain",
    version="bench",
    labels={},
    entry="first",
    steps={
        "first": StepPlan("first", 0, "chain:first", "chain.first", (), ("one",)),
        "second": StepPlan("second", 1, "chain:second", "chain.second", ("one",), ("two",)),
        "third": StepPlan("third", 2, "chain:third", "chain.third", ("two",), ()),
    },
    subscribers={"one": ("second",), "two": ("third",)},
    sinks=("third",),
)


def open_store(url: str) -> Store:
    return Store(url, address=url, prefix=PREFIX, events_max_len=100_000)


def wait_for(condition: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the work was not done in time")
        time.sleep(0.002)


def counts(client: redis.Redis) -> tuple[int, int]:
    """Scripts called and commands executed so far, those inside scripts included."""
    stats = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()}
    return calls.get("evalsha", 0), sum(calls.values())


def run_flowengine(url: str, runs: int, threads: int) -> dict[str, float]:
    store = open_store(url)
    client = redis.Redis.from_url(url)
    deploy(store, PLAN, source="", mode="serve")
    before_bytes = client.info("memory")["used_memory"]
    for number in range(runs):
        start(store, PLAN, input={"n": number}, limit_bytes=1 << 20)
    registry = Registry()
    registry.swap([PLAN], HANDLERS)
    worker = WorkerProcess(
        store,
        registry=registry,
        pins=Pins(registry, Plans(store), HANDLERS.__getitem__),
        limits=Limits(
            threads=threads,
            async_steps=1_000,
            lease_ms=15_000,
            max_deliveries=5,
            payload_bytes=1 << 20,
            fan_out=20_000,
            gather_bytes=1 << 26,
            release="bench",
        ),
        died=lambda why: os._exit(70),
    )
    scripts, commands = counts(client)
    cpu, begun = os.times(), time.perf_counter()
    worker.start()
    completed = store.keys.status_index("completed")
    wait_for(lambda: client.zcard(completed) == runs, 300)
    elapsed, used = time.perf_counter() - begun, os.times()
    after_scripts, after_commands = counts(client)
    client.xtrim(store.keys.events, maxlen=0)
    after_bytes = client.info("memory")["used_memory"]
    idle = subprocess.run(
        [sys.executable, __file__, "--idle", url], check=True, capture_output=True, text=True, timeout=120
    )
    worker.stop(1000)
    return {
        "steps_per_s": STEPS * runs / elapsed,
        "cpu_us_per_step": (used.user + used.system - cpu.user - cpu.system) / runs / STEPS * 1e6,
        "scripts_per_step": (after_scripts - scripts) / runs / STEPS,
        "commands_per_step": (after_commands - commands) / runs / STEPS,
        "bytes_per_run": (after_bytes - before_bytes) / runs,
        **json.loads(idle.stdout),
    }


def run_idle(url: str) -> dict[str, float]:
    """One run at a time, from another process than the worker's: start to recorded end."""
    store = open_store(url)
    client = redis.Redis.from_url(url)
    ended = client.pubsub()  # type: ignore[no-untyped-call]
    ended.subscribe(f"{PREFIX}:events:chain")
    ended.get_message(timeout=1)
    scripts, _ = counts(client)
    spans = []
    for number in range(IDLE_RUNS):
        time.sleep(0.003)
        begun = time.perf_counter()
        start(store, PLAN, input={"n": number}, limit_bytes=1 << 20)
        while True:
            message = ended.get_message(timeout=5)
            if message and message["type"] == "message" and b'"flow.completed"' in message["data"]:
                break
        spans.append((time.perf_counter() - begun) * 1000)
    after, _ = counts(client)
    spans.sort()
    return {
        "idle_p50_ms": statistics.median(spans),
        "idle_p95_ms": spans[int(len(spans) * 0.95)],
        "idle_scripts_per_step": (after - scripts) / IDLE_RUNS / STEPS,
    }


def run_dramatiq(url: str, runs: int, threads: int) -> dict[str, float]:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    dramatiq.set_broker(RedisBroker(url=url))  # type: ignore[no-untyped-call]
    client = redis.Redis.from_url(url)
    done = []

    @dramatiq.actor
    def third(number: int) -> None:
        done.append(number)

    @dramatiq.actor
    def second(number: int) -> None:
        third.send(number)

    @dramatiq.actor
    def first(number: int) -> None:
        second.send(number)

    for number in range(runs):
        first.send(number)
    scripts, commands = counts(client)
    cpu, begun = os.times(), time.perf_counter()
    worker = dramatiq.Worker(dramatiq.get_broker(), worker_threads=threads)
    worker.start()
    wait_for(lambda: len(done) >= runs, 300)
    elapsed, used = time.perf_counter() - begun, os.times()
    after_scripts, after_commands = counts(client)
    worker.stop()
    return {
        "steps_per_s": STEPS * runs / elapsed,
        "cpu_us_per_step": (used.user + used.system - cpu.user - cpu.system) / runs / STEPS * 1e6,
        "scripts_per_step": (after_scripts - scripts) / runs / STEPS,
        "commands_per_step": (after_commands - commands) / runs / STEPS,
    }


SUBJECTS = {"flowengine": run_flowengine, "dramatiq": run_dramatiq}


@contextmanager
def fresh_server() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="flowengine-bench-") as folder,
        EmbeddedServer(Path(folder)) as server,
    ):
        yield server.url


def measure(subject: str, runs: int, threads: int) -> dict[str, float]:
    """One subject in a process of its own, on a server of its own."""
    with fresh_server() as url:
        command = [sys.executable, __file__, "--subject", subject, "--url", url]
        done = subprocess.run(
            [*command, "--runs", str(runs), "--threads", str(threads)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=600,
        )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(runs: int, rounds: int, threads: int) -> None:
    results: dict[str, list[dict[str, float]]] = {subject: [] for subject in SUBJECTS}
    for number in range(rounds):
        for subject in SUBJECTS:
            results[subject].append(measure(subject, runs, threads))
            steps = results[subject][-1]["steps_per_s"]
            print(f"round {number + 1}: {subject} {steps:,.0f} steps/s", file=sys.stderr)
    middle = {
        subject: {name: statistics.median(found[name] for found in all_found) for name in all_found[0]}
        for subject, all_found in results.items()
    }
    ours, stock = middle["flowengine"], middle["dramatiq"]
    print(f"three-step chains, {runs:,} runs, {threads} threads, one process, median of {rounds} rounds")
    print(f"  throughput              {ours['steps_per_s'] / stock['steps_per_s']:.2f} x stock Dramatiq")
    print(
        f"                          ({ours['steps_per_s']:,.0f} and {stock['steps_per_s']:,.0f} steps/s here)"
    )
    print(
        f"  processor time a step   {ours['cpu_us_per_step']:.0f} us, "
        f"stock Dramatiq {stock['cpu_us_per_step']:.0f} us"
    )
    print(
        f"  scripts a step          {ours['scripts_per_step']:.2f} under load (starts came before), "
        f"{ours['idle_scripts_per_step']:.2f} idle (starts included)"
    )
    print(f"  commands a step         {ours['commands_per_step']:.1f}, those inside scripts included")
    print(f"  bytes a run             {ours['bytes_per_run']:,.0f}, the feed of all runs not counted")
    print(f"  idle run, start to end  p50 {ours['idle_p50_ms']:.2f} ms, p95 {ours['idle_p95_ms']:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--idle", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.idle:
        print(json.dumps(run_idle(options.idle)))
    elif options.subject:
        result = SUBJECTS[options.subject](options.url, options.runs, options.threads)
        print(json.dumps(result), flush=True)
        os._exit(0)
    else:
        compare(options.runs, options.rounds, options.threads)


if __name__ == "__main__":
    main()
