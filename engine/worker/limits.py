"""What a worker process is told of its size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker process is told.

    Attributes:
        threads: Handlers that run at once.
        async_steps: `async def` handlers that run at once, besides.
        lease_ms: Length of a lease.
        max_deliveries: Losses after which a job is not tried again.
        payload_bytes: Largest payload or result.
        fan_out: Events that one attempt may emit.
        gather_bytes: Bytes of the payloads that one attempt emits, or that one join or collect reads.
        release: Version of the engine, for people.
    """

    threads: int
    async_steps: int
    lease_ms: int
    max_deliveries: int
    payload_bytes: int
    fan_out: int
    gather_bytes: int
    release: str
