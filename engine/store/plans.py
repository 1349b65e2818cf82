"""Plans in the store: written once per version, read by whoever runs them.

What a plan means is `compile.plan`'s; here it is JSON-able data under a flow and a version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from engine.errors import FlowNotFound, VersionNotFound
from engine.events.codec import decode_json, encode_json

from .connection import Store

#: Whether a stored version is put in force: where it is new to the store, on purpose, or not at all.
Mode = Literal["serve", "deploy", "store"]


class Pointer(NamedTuple):
    """Where the pointer of a flow stands.

    Attributes:
        in_force: The version in force, or None.
        moved_ms: When it came into force, 0 for never; grows with every move.
        is_known: Whether the version that was asked about has been in force, as far as that is kept.
    """

    in_force: str | None
    moved_ms: int
    is_known: bool


class Plans:
    """The plans in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def deploy(
        self,
        flow: str,
        version: str,
        *,
        plan: Mapping[str, Any],
        source: str,
        mode: Mode,
        seen_ms: int = 0,
        queues: Mapping[str, int | None],
    ) -> tuple[str, str | None]:
        """Store a plan.

        Args:
            flow: Name of the flow.
            version: Content hash of the plan.
            plan: The plan as data.
            source: Text of the file that it was made from.
            mode: `serve` puts it in force where its version is new to this store; `deploy` in any case
                where the pointer is still where it was seen; `store` leaves the pointer alone.
            seen_ms: For `deploy`: the `moved_ms` of `pointer`.
            queues: Every queue that a step of it waits in, with how many jobs it may hand out at once, if
                that is limited.

        Returns:
            `stored`, `current` or `moved`; `old` with the version that stays in force; `new` or `back`
            with the version that was in force until now, if there was one.
        """
        stored = encode_json({"plan": plan, "source": source})
        flat = [part for name in sorted(queues) for part in (name, queues[name] or "")]
        answer = self._store.call("deploy", flow, version, stored, mode, seen_ms, len(queues), *flat)
        return answer[0].decode(), answer[1].decode() or None if len(answer) > 1 else None

    def pointer(self, flow: str, version: str) -> Pointer:
        """Where the pointer of a flow stands, seen from a version that may be put in force."""
        keys = self._store.keys
        with self._store.talking() as client:
            pipeline = client.pipeline()
            pipeline.get(keys.plan(flow))
            pipeline.zrange(keys.versions(flow), -1, -1, withscores=True)
            pipeline.zscore(keys.versions(flow), version)
            in_force, newest, known_ms = pipeline.execute()
        return Pointer(
            in_force=in_force and in_force.decode(),
            moved_ms=int(newest[0][1]) if newest else 0,
            is_known=known_ms is not None,
        )

    def version_in_force(self, flow: str) -> str:
        """The version that a new run of a flow gets.

        Raises:
            FlowNotFound: No worker has ever served this flow in this store.
        """
        with self._store.talking() as client:
            version: bytes | None = client.get(self._store.keys.plan(flow))
        if version is None:
            raise FlowNotFound(
                f"flow `{flow}` is not in the store at {self._store.address}: start a worker that serves it"
            )
        return version.decode()

    def read(self, flow: str, version: str) -> Mapping[str, Any]:
        """One version of a flow, as data.

        Raises:
            VersionNotFound: It is not in the store.
        """
        with self._store.talking() as client:
            raw = client.get(self._store.keys.plan(flow, version))
        if raw is None:
            raise VersionNotFound(
                f"version {version[:12]} of flow `{flow}` is not in the store at {self._store.address}"
            )
        plan: Mapping[str, Any] = decode_json(raw)["plan"]
        return plan
