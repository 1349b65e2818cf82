"""Plans in the store: written once per version, read by whoever runs them.

What a plan means is `compile.plan`'s; here it is JSON-able data under a flow and a version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from engine.errors import FlowNotFound, VersionNotFound
from engine.events.codec import decode_json, encode_json

from .connection import Store


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
        mode: Literal["serve", "store"],
        queues: Mapping[str, int | None],
    ) -> tuple[str, str | None]:
        """Store a plan.

        Args:
            flow: Name of the flow.
            version: Content hash of the plan.
            plan: The plan as data.
            source: Text of the file that it was made from.
            mode: `serve` puts it in force where its version is new to this store; `store` leaves
                the pointer alone.
            queues: Every queue that a step of it waits in, with how many jobs it may hand out at once, if
                that is limited.

        Returns:
            `stored`, `new`, `current` or `old`, and with `old` the version that stays in force.
        """
        stored = encode_json({"plan": plan, "source": source})
        flat = [part for name in sorted(queues) for part in (name, queues[name] or "")]
        answer = self._store.call("deploy", flow, version, stored, mode, len(queues), *flat)
        return answer[0].decode(), answer[1].decode() if len(answer) > 1 else None

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
