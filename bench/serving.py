"""What the measurements share: a fresh server, a worker on it, a process of its own for each subject."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from engine.compile.plan import Plan
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
EVENTS_MAX_LEN = 100_000
PAYLOAD_BYTES = 1 << 20


@contextmanager
def fresh_server() -> Iterator[str]:
    """The URL of an embedded server that lives as long as the block."""
    with (
        tempfile.TemporaryDirectory(prefix="flowengine-bench-") as folder,
        EmbeddedServer(Path(folder)) as server,
    ):
        yield server.url


def open_store(url: str) -> Store:
    return Store(url, address=url, prefix=PREFIX, events_max_len=EVENTS_MAX_LEN)


def deployed(store: Store, flow: str) -> Plan:
    """The plan of a flow file's text, deployed."""
    document = read_yaml("bench.yaml", flow).document
    if document is None:
        raise SystemExit("the flow of this measurement cannot be read")
    plan = plan_of(parse(document))
    deploy(store, plan, source=flow, mode="serve")
    return plan


def worker_of(
    store: Store,
    plan: Plan,
    handlers: Mapping[str, Callable[..., Any]],
    *,
    threads: int,
    async_steps: int = 1_000,
    fan_out: int = 20_000,
) -> WorkerProcess:
    """A worker that serves the plan in this process, and is not started yet."""
    registry = Registry()
    registry.swap([plan], handlers)
    return WorkerProcess(
        store,
        registry=registry,
        pins=Pins(registry, Plans(store), handlers.__getitem__),
        limits=Limits(
            threads=threads,
            async_steps=async_steps,
            lease_ms=15_000,
            max_deliveries=5,
            payload_bytes=PAYLOAD_BYTES,
            fan_out=fan_out,
            gather_bytes=1 << 26,
            release="bench",
        ),
        died=lambda why: os._exit(70),
    )


def completed(store: Store, plan: Plan, data: Any) -> tuple[float, Any]:
    """Start a run and wait for its end: the seconds that it took, and its result."""
    client = redis.Redis.from_url(store.address)
    begun = time.perf_counter()
    run_id = start(store, plan, input=data, limit_bytes=PAYLOAD_BYTES).run_id
    wait_for(lambda: client.zcard(store.keys.status_index("completed")) == 1, 300)
    elapsed = time.perf_counter() - begun
    *_, end = EventLog(store).read_all(run_id)
    return elapsed, end.data["result"]


def wait_for(condition: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the work was not done in time")
        time.sleep(0.002)


def in_own_process(module: str, *arguments: str) -> dict[str, Any]:
    """What a module of this folder prints as JSON, run with arguments in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        cwd=Path(__file__).parent.parent,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
