"""The wire form of events."""

from __future__ import annotations

import json

import pytest

from engine.errors import CorruptEvent, PayloadError
from engine.events.codec import (
    decode_entries,
    decode_entry,
    decode_json,
    decode_registry_entry,
    encode_json,
    format_ts,
    to_envelope,
)
from engine.events.types import Event, RegistryEvent

ENTRY = {
    b"type": b"emit",
    b"run": b"r",
    b"flow": b"f",
    b"step": b"a",
    b"stepId": b"a#1",
    b"attempt": b"2",
    b"ts": b"1767225600007",
    b"data": b'{"event":"one","path":"0.1","payload":{"x":1}}',
    b"to": b"b#1,c#1",
    b"at": b"",
}


def test_an_entry_becomes_an_event():
    assert decode_entry(b"5-1", ENTRY) == Event(
        id="5-1",
        ts_ms=1_767_225_600_007,
        type="emit",
        run_id="r",
        flow_name="f",
        step_name="a",
        step_id="a#1",
        attempt=2,
        data={"event": "one", "path": "0.1", "payload": {"x": 1}, "to": ["b#1", "c#1"]},
    )


def test_an_event_as_people_see_it():
    assert to_envelope(decode_entry(b"5-1", ENTRY)) == {
        "id": "5-1",
        "ts": "2026-01-01T00:00:00.007Z",
        "type": "emit",
        "runId": "r",
        "flowName": "f",
        "stepName": "a",
        "stepId": "a#1",
        "attempt": 2,
        "data": {"event": "one", "path": "0.1", "payload": {"x": 1}, "to": ["b#1", "c#1"]},
    }


def test_what_an_event_does_not_have_is_left_out():
    entry = {b"type": b"flow.paused", b"run": b"r", b"flow": b"f", b"ts": b"0", b"step": b"", b"data": b""}
    event = decode_entry(b"5-1", entry)

    assert (event.step_name, event.step_id, event.attempt, event.data) == (None, None, None, {})
    assert list(to_envelope(event)) == ["id", "ts", "type", "runId", "flowName"]


@pytest.mark.parametrize(
    ("kind", "to", "expected"),
    [
        (b"emit", b"", []),
        (b"flow.start", b"a#1", ["a#1"]),
        (b"step.completed", b"", None),
        (b"step.completed", b"c#1", ["c#1"]),
    ],
)
def test_what_was_made_due_is_merged_in(kind, to, expected):
    assert decode_entry(b"5-1", ENTRY | {b"type": kind, b"to": to}).data.get("to") == expected


def test_the_time_of_the_next_attempt_is_merged_in():
    entry = ENTRY | {b"type": b"step.retry", b"at": b"1767225660000", b"to": b""}
    assert decode_entry(b"5-1", entry).data["nextAt"] == "2026-01-01T00:01:00.000Z"


@pytest.mark.parametrize(
    "change",
    [
        {b"type": None},
        {b"run": None},
        {b"flow": None},
        {b"ts": None},
        {b"type": b"\xff"},
        {b"ts": b"soon"},
        {b"attempt": b"first"},
        {b"at": b"later"},
        {b"data": b"{"},
        {b"data": b"[1]"},
        {b"data": b"7"},
        {b"to": b"\xff"},
    ],
)
def test_an_entry_that_is_no_event_is_told_by_its_id(change):
    entry = {name: value for name, value in (ENTRY | change).items() if value is not None}
    with pytest.raises(CorruptEvent, match="entry 5-1 is no event"):
        decode_entry(b"5-1", entry)


REGISTRY_ENTRY = {b"type": b"registry.updated", b"ts": b"1767225600007", b"data": b'{"by":"w"}'}


def test_an_event_of_the_registry_is_of_no_run():
    event = decode_registry_entry(b"5-1", REGISTRY_ENTRY)
    assert event == RegistryEvent(
        id="5-1", ts_ms=1_767_225_600_007, type="registry.updated", data={"by": "w"}
    )
    assert to_envelope(event) == {
        "id": "5-1",
        "ts": "2026-01-01T00:00:00.007Z",
        "type": "registry.updated",
        "data": {"by": "w"},
    }


@pytest.mark.parametrize("change", [{b"type": None}, {b"ts": b"soon"}, {b"data": b"[]"}, {b"data": b"{"}])
def test_an_entry_that_is_no_event_of_the_registry_is_told_by_its_id(change):
    entry = {name: value for name, value in (REGISTRY_ENTRY | change).items() if value is not None}
    with pytest.raises(CorruptEvent, match="entry 5-1 is no event"):
        decode_registry_entry(b"5-1", entry)


def test_many_at_once():
    assert [event.id for event in decode_entries([(b"1-0", ENTRY), (b"2-0", ENTRY)])] == ["1-0", "2-0"]


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        1j,
        2**64,
        -(2**63) - 1,
        "\ud800",
        {1: "x"},
        float("nan"),
        float("inf"),
        [1, {"x": (float("-inf"),)}],
        {"x": [None, {"y": float("nan")}]},
    ],
)
def test_what_is_not_json_is_refused(value):
    with pytest.raises(PayloadError):
        encode_json(value)


async def unawaited():
    pass


def test_what_is_not_json_is_named():
    def refusal(value):
        with pytest.raises(PayloadError) as refused:
            encode_json(value)
        return str(refused.value)

    assert refusal({"a": {1, 2}}) == "a `set` is no JSON value"
    assert refusal({1: "x"}) == "dict key must be str"
    call = unawaited()
    assert refusal(call) == "a `coroutine` is no JSON value: put `await` before the call that made it"
    call.close()


def test_null_is_json_all_the_same():
    assert (
        encode_json({"a": None, "b": [None], "c": "null", "d": 1.5})
        == b'{"a":null,"b":[null],"c":"null","d":1.5}'
    )


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 0.1, 1e300, 5e-324, "ü\u2028\0", [], {}, True])
def test_what_is_json_comes_back(value):
    assert decode_json(encode_json(value)) == json.loads(encode_json(value)) == value


@pytest.mark.parametrize(
    ("ts_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ],
)
def test_times_are_written_with_milliseconds(ts_ms, text):
    assert format_ts(ts_ms) == text
