"""The wire form of events: entries of a Redis stream, and the JSON envelope that people see.

An entry has the fixed fields of `FIELDS`, so that Redis stores their names once per
node. `data` holds the bytes that the worker encoded, untouched; `to` and `at` are what
the script decided, and are merged into the envelope's `data` here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from engine.errors import CorruptEvent, PayloadError

from .types import EMIT, FLOW_START, STEP_RETRY, Event, RegistryEvent

#: Fields of a stream entry, in the order in which the scripts write them.
FIELDS: Final = ("type", "run", "flow", "step", "stepId", "attempt", "ts", "data", "to", "at")

#: Types whose `to` is always there, even when nothing was made due.
_ALWAYS_TO: Final = frozenset({FLOW_START, EMIT})


def encode_json(value: Any) -> bytes:
    """Encode a value as JSON.

    Raises:
        PayloadError: The value has a part that JSON cannot say.
    """
    try:
        raw = orjson.dumps(value)
    except TypeError as error:
        raise PayloadError(_why(str(error))) from error
    # The encoder writes NaN and infinities as null: a value that would change on its way is refused.
    if b"null" in raw and _has_no_number(value):
        raise PayloadError("a number that is not finite (NaN or infinity) is no JSON value")
    return raw


def _why(found: str) -> str:
    """What the encoder found, as part of a sentence."""
    _, is_type, name = found.partition("Type is not JSON serializable: ")
    if not is_type:
        return found[:1].lower() + found[1:]
    advice = ": put `await` before the call that made it" if name == "coroutine" else ""
    return f"a `{name}` is no JSON value{advice}"


def _has_no_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_no_number(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_no_number(item) for item in value)
    return False


def as_text(text: str) -> str:
    """Text that JSON can carry: a lone surrogate, as in some file names, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def decode_json(raw: bytes) -> Any:
    """Decode JSON that `encode_json` made."""
    return orjson.loads(raw)


def format_ts(ts_ms: int) -> str:
    """A time in milliseconds as ISO 8601 in UTC, with milliseconds."""
    seconds, millis = divmod(ts_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03d}Z"


def decode_entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Event:
    """Turn an entry of `nq:flow:<run>` or `nq:events` into an event.

    Raises:
        CorruptEvent: Type, run or flow is missing, or a field does not parse.
    """
    try:
        kind = fields[b"type"].decode()
        run_id = fields[b"run"].decode()
        flow = fields[b"flow"].decode()
        data = _object(fields.get(b"data", b""))
        to = fields.get(b"to", b"").decode()
        ts_ms = int(fields[b"ts"])
        attempt = int(fields[b"attempt"]) if fields.get(b"attempt") else None
        at_ms = int(fields[b"at"]) if fields.get(b"at") else None
    except (KeyError, ValueError) as error:
        raise CorruptEvent(f"entry {entry_id.decode()} is no event: {error!s} does not fit") from error
    if to or kind in _ALWAYS_TO:
        data["to"] = to.split(",") if to else []
    if at_ms is not None and kind == STEP_RETRY:
        data["nextAt"] = format_ts(at_ms)
    return Event(
        id=entry_id.decode(),
        ts_ms=ts_ms,
        type=kind,
        run_id=run_id,
        flow_name=flow,
        step_name=fields.get(b"step", b"").decode() or None,
        step_id=fields.get(b"stepId", b"").decode() or None,
        attempt=attempt,
        data=data,
    )


def _object(raw: bytes) -> dict[str, Any]:
    data = orjson.loads(raw) if raw else {}
    if not isinstance(data, dict):
        raise ValueError(f"data of type {type(data).__name__}")
    return data


def decode_entries(entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Event]:
    """`decode_entry` over what XRANGE and XREAD answer."""
    return [decode_entry(entry_id, fields) for entry_id, fields in entries]


def decode_registry_entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> RegistryEvent:
    """Turn an entry of `nq:registry` into an event.

    Raises:
        CorruptEvent: The type is missing, or a field does not parse.
    """
    try:
        return RegistryEvent(
            id=entry_id.decode(),
            ts_ms=int(fields[b"ts"]),
            type=fields[b"type"].decode(),
            data=_object(fields.get(b"data", b"")),
        )
    except (KeyError, ValueError) as error:
        raise CorruptEvent(f"entry {entry_id.decode()} is no event: {error!s} does not fit") from error


def to_envelope(event: Event | RegistryEvent) -> dict[str, Any]:
    """The event as the JSON object that people and programs see; absent fields are left out."""
    envelope: dict[str, Any] = {"id": event.id, "ts": format_ts(event.ts_ms), "type": event.type}
    if isinstance(event, Event):
        envelope |= {"runId": event.run_id, "flowName": event.flow_name}
        named = {"stepName": event.step_name, "stepId": event.step_id, "attempt": event.attempt}
        envelope |= {name: value for name, value in named.items() if value is not None}
    if event.data:
        envelope["data"] = dict(event.data)
    return envelope
