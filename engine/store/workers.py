"""Who works: the workers that have said lately that they live."""

from __future__ import annotations

from dataclasses import dataclass

from .connection import Store


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A live worker.

    Attributes:
        id: Its id.
        host: The machine's name.
        pid: Its process there.
        release: Version of the engine that it runs.
        threads: Handlers that it runs at once.
        seen_at_ms: Its last heartbeat, by Redis's clock.
        queues: The queues that it serves.
    """

    id: str
    host: str
    pid: int
    release: str
    threads: int
    seen_at_ms: int
    queues: frozenset[str]


class Workers:
    """The workers of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> list[WorkerInfo]:
        """Every live worker, ordered by id."""
        keys = self._store.keys
        with self._store.talking() as client:
            ids = sorted(worker_id.decode() for worker_id in client.smembers(keys.workers))
            pipeline = client.pipeline(transaction=False)
            for worker_id in ids:
                pipeline.hmget(keys.worker(worker_id), "host", "pid", "release", "threads", "seen")
                pipeline.sunion(keys.worker_queues(worker_id))
            answers = pipeline.execute()
        found = []
        for worker_id, fields, queues in zip(ids, answers[::2], answers[1::2], strict=True):
            host, pid, release, threads, seen = fields
            if host is not None:
                found.append(
                    WorkerInfo(
                        worker_id,
                        host.decode(),
                        int(pid),
                        release.decode(),
                        int(threads),
                        int(seen),
                        frozenset(queue.decode() for queue in queues),
                    )
                )
        return found

    def serving(self, queue: str) -> bool:
        """Whether a live worker serves a queue."""
        return any(queue in worker.queues for worker in self.list())
