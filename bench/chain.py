"""A three-step chain of no-op handlers: flowengine beside stock Dramatiq, in one run.

    python -m bench.chain [--runs 3000] [--rounds 3] [--threads 8]

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
import sys
import time

import redis

from bench.serving import (
    PAYLOAD_BYTES,
    PREFIX,
    deployed,
    fresh_server,
    in_own_process,
    open_store,
    wait_for,
    worker_of,
)
from engine import Context, Job
from engine.control.start import start

STEPS = 3
IDLE_RUNS = 200

FLOW = """\
flow: chain
steps:
  first: {role: entry, handler: "chain:first", emits: [one]}
  second: {subscribes: one, handler: "chain:second", emits: [two]}
  third: {subscribes: two, handler: "chain:third"}
"""


def first(job: Job, ctx: Context) -> None:
    ctx.flow.emit("one", job.data)


def second(job: Job, ctx: Context) -> None:
    ctx.flow.emit("two", job.data)


def third(job: Job, ctx: Context) -> None:
    pass


HANDLERS = {"chain:first": first, "chain:second": second, "chain:third": third}


def counts(client: redis.Redis) -> tuple[int, int]:
    """Scripts called and commands executed so far, those inside scripts included."""
    stats = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()}
    return calls.get("evalsha", 0), sum(calls.values())


def run_flowengine(url: str, runs: int, threads: int) -> dict[str, float]:
    store = open_store(url)
    client = redis.Redis.from_url(url)
    plan = deployed(store, FLOW)
    before_bytes = client.info("memory")["used_memory"]
    for number in range(runs):
        start(store, plan, input={"n": number}, limit_bytes=PAYLOAD_BYTES)
    worker = worker_of(store, plan, HANDLERS, threads=threads)
    scripts, commands = counts(client)
    cpu, begun = os.times(), time.perf_counter()
    worker.start()
    completed = store.keys.status_index("completed")
    wait_for(lambda: client.zcard(completed) == runs, 300)
    elapsed, used = time.perf_counter() - begun, os.times()
    after_scripts, after_commands = counts(client)
    client.xtrim(store.keys.events, maxlen=0)
    after_bytes = client.info("memory")["used_memory"]
    idle = in_own_process("bench.chain", "--idle", url)
    worker.stop(1000)
    return {
        "steps_per_s": STEPS * runs / elapsed,
        "cpu_us_per_step": (used.user + used.system - cpu.user - cpu.system) / runs / STEPS * 1e6,
        "scripts_per_step": (after_scripts - scripts) / runs / STEPS,
        "commands_per_step": (after_commands - commands) / runs / STEPS,
        "bytes_per_run": (after_bytes - before_bytes) / runs,
        **idle,
    }


def run_idle(url: str) -> dict[str, float]:
    """One run at a time, from another process than the worker's: start to recorded end."""
    store = open_store(url)
    plan = deployed(store, FLOW)
    client = redis.Redis.from_url(url)
    ended = client.pubsub()  # type: ignore[no-untyped-call]
    ended.subscribe(f"{PREFIX}:events:chain")
    ended.get_message(timeout=1)
    scripts, _ = counts(client)
    spans = []
    for number in range(IDLE_RUNS):
        time.sleep(0.003)
        begun = time.perf_counter()
        start(store, plan, input={"n": number}, limit_bytes=PAYLOAD_BYTES)
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


def measure(subject: str, runs: int, threads: int) -> dict[str, float]:
    """One subject in a process of its own, on a server of its own."""
    with fresh_server() as url:
        return in_own_process(
            "bench.chain", "--subject", subject, "--url", url, "--runs", str(runs), "--threads", str(threads)
        )


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
