"""Starting a run."""

from __future__ import annotations

import re
from typing import Any, Final

from engine.clock import new_run_id
from engine.compile.plan import Plan
from engine.errors import PayloadError
from engine.events.codec import encode_json
from engine.store import ledger
from engine.store.connection import Store
from engine.store.ledger import Started

#: Milliseconds for which a key names the run that it started first.
KEY_TTL_MS: Final = 24 * 3600 * 1000

_RUN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,256}")


def start(
    store: Store,
    plan: Plan,
    *,
    input: Any,
    limit_bytes: int,
    run_id: str | None = None,
    key: str | None = None,
    trigger: str = "cli",
) -> Started:
    """Start a run of a plan that is in the store.

    Args:
        store: Where.
        plan: The version that the run is pinned to.
        input: What the entry gets; JSON-able.
        limit_bytes: `limits.payload_bytes`.
        run_id: An id of the caller's choice; a second start with it starts nothing.
        key: As `run_id`, for 24 hours and within the flow; the first run's id is answered.
        trigger: What asked for it, for people.

    Raises:
        PayloadError: The input is not JSON or too large, or an id does not fit; nothing was written.
        VersionNotFound: The plan is not in the store.
        StoreFull: Redis is out of memory; nothing was written.
        StoreError: The store cannot be reached.
    """
    if run_id is not None and not _RUN_ID.fullmatch(run_id):
        raise PayloadError(f"`{run_id}` is no run id: use 1 to 64 letters, digits, `_` or `-`")
    if key is not None and not _KEY.fullmatch(key):
        raise PayloadError(f"{key!r} is no key: use 1 to 256 printable characters without spaces")
    payload = encode_json(input)
    if len(payload) > limit_bytes:
        raise PayloadError(
            f"the input has {len(payload):,} bytes, the limit is {limit_bytes:,}: "
            f"raise `limits.payload_bytes`, or pass a reference to what is kept elsewhere"
        )
    about: dict[str, Any] = {"version": plan.version, "trigger": trigger}
    if plan.labels:
        about["labels"] = dict(plan.labels)
    if key is not None:
        about["key"] = {"name": key, "ttl": KEY_TTL_MS}
    entry = plan.steps[plan.entry]
    head = encode_json(about)[:-1] + b',"input":'
    return ledger.start(
        store,
        run=run_id or new_run_id(),
        flow=plan.flow,
        version=plan.version,
        entry=entry.name,
        queue=entry.queue,
        key=key or "",
        key_ttl_ms=KEY_TTL_MS,
        data=head + payload + b"}",
        offset=len(head) + 1,
        priority=entry.priority,
        collects=[(name, left, name in entry.arms) for name, left in plan.collects.items()],
    )
