"""What is encoded comes back, by whichever way it is read."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CorruptEvent, PayloadError
from engine.events.codec import FIELDS, decode_entry, decode_json, encode_json, format_ts, to_envelope
from tests.support.strategies import json_values

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,10}", fullmatch=True)


@given(json_values)
def test_a_value_comes_back(value):
    raw = encode_json(value)
    assert decode_json(raw) == value
    assert json.loads(raw) == value


@given(
    json_values, st.sampled_from([math.nan, math.inf, -math.inf]), st.lists(st.sampled_from("ld"), max_size=5)
)
def test_a_number_that_is_not_finite_is_found_however_deep_it_lies(value, number, wrapping):
    hidden = number
    for how in wrapping:
        hidden = [value, hidden] if how == "l" else {"a": value, "b": hidden}
    with pytest.raises(PayloadError):
        encode_json(hidden)


@given(
    kind=st.sampled_from(["emit", "log", "flow.start", "step.completed", "step.retry", "of.the.future"]),
    step=st.none() | names,
    attempt=st.none() | st.integers(1, 1000),
    ts_ms=st.integers(0, 2**42),
    at_ms=st.none() | st.integers(0, 2**42),
    data=st.dictionaries(names.filter(lambda name: name not in ("to", "nextAt")), json_values, max_size=4),
    to=st.lists(st.builds("{}#{}".format, names, st.integers(1, 99)), max_size=3),
)
def test_an_event_comes_back_from_its_entry(*, kind, step, attempt, ts_ms, at_ms, data, to):
    fields = (
        kind,
        "run-1",
        "f",
        step or "",
        f"{step}#1" if step else "",
        attempt or "",
        ts_ms,
        encode_json(data),
        ",".join(to),
        "" if at_ms is None else at_ms,
    )
    entry = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in zip(FIELDS, fields, strict=True)
    }
    event = decode_entry(b"5-1", entry)

    assert (event.type, event.run_id, event.flow_name) == (kind, "run-1", "f")
    assert (event.step_name, event.attempt, event.ts_ms) == (step, attempt, ts_ms)
    assert event.step_id == (f"{step}#1" if step else None)
    assert event.data.get("to", []) == to
    assert {name: value for name, value in event.data.items() if name not in ("to", "nextAt")} == data
    if kind == "step.retry" and at_ms is not None:
        assert event.data["nextAt"] == format_ts(at_ms)
    assert json.loads(encode_json(to_envelope(event))) == to_envelope(event)


@given(st.dictionaries(st.sampled_from([name.encode() for name in FIELDS]), st.binary(max_size=6)))
def test_whatever_stands_in_an_entry_it_is_an_event_or_corrupt(fields):
    try:
        event = decode_entry(b"5-1", fields)
    except CorruptEvent:
        return
    assert json.loads(encode_json(to_envelope(event)))["id"] == "5-1"


@given(st.integers(-(2**41), 2**43), st.integers(-(2**41), 2**43))
def test_times_are_ordered_as_texts_as_they_are_as_numbers(one, other):
    assert (format_ts(one) < format_ts(other)) == (one < other)
