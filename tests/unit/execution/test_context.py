"""What a handler is given, and what of it ends up in the attempt."""

from __future__ import annotations

import logging
import sys
from io import StringIO
from types import MappingProxyType

import orjson
import pytest

from engine.errors import EmitNotDeclared, PayloadError
from engine.execution.attempt import MAX_EVENTS, MAX_EVENTS_BYTES
from engine.execution.capture import Capture, PrintsToLog, RecordsToLog
from engine.execution.context import MAX_CHANGES
from tests.unit.execution.bench import Bench


@pytest.fixture
def bench():
    return Bench()


def lines_of(bench):
    return [orjson.loads(event.data) for event in bench.attempt.events]


def test_the_run_is_known_and_the_input_of_an_entry_is_not_read_again(bench):
    flow = bench.context.flow
    assert (flow.run_id, flow.name, flow.input) == ("r", "f", {"n": 1})
    assert bench.context.idempotency_key == "r/a/0"


def test_the_input_of_a_later_step_is_read():
    assert Bench(event="one").context.flow.input == {"input": "r"}


def test_the_data_of_a_log_line_is_a_mapping(bench):
    """Who knows `logging` writes `info("x %s", 1)`."""
    logger = bench.context.logger
    for data in (1, "a", [1], [("a", 1)]):
        with pytest.raises(
            PayloadError, match=r"the data of a log line is a mapping, not (int|str|list): write"
        ):
            logger.info("x %s", data)
    logger.log("info", "x", MappingProxyType({"a": 1}))
    [line] = lines_of(bench)
    assert line["data"] == {"a": 1}


def test_the_key_of_the_work_is_the_same_on_every_attempt():
    assert Bench(attempt=4, losses=3).context.idempotency_key == Bench().context.idempotency_key


def test_parts_are_made_once(bench):
    context = bench.context
    assert context.logger is context.logger
    assert context.state is context.state
    assert context.flow is context.flow


def test_emits_are_kept_in_order_with_their_payload(bench):
    flow = bench.context.flow
    flow.emit("one", {"a": 1})
    flow.emit("deaf")
    flow.emit("one", [])
    assert [(event, payload) for _, event, payload in bench.attempt.emits] == [
        ("one", b'{"a":1}'),
        ("deaf", b"null"),
        ("one", b"[]"),
    ]


def test_what_was_emitted_does_not_change_with_its_payload(bench):
    payload = {"a": 1}
    bench.context.flow.emit("one", payload)
    payload["a"] = 2
    assert bench.attempt.emits[0][2] == b'{"a":1}'


def test_an_event_that_is_not_declared_is_a_fault(bench):
    with pytest.raises(EmitNotDeclared, match="its `emits` has `deaf`, `one`"):
        bench.context.flow.emit("two")
    assert isinstance(bench.attempt.fault, EmitNotDeclared)


def test_one_emit_too_many_is_a_fault():
    bench = Bench(fan_out=3)
    for _ in range(3):
        bench.context.flow.emit("one")
    with pytest.raises(PayloadError, match="3 events in one attempt: raise `limits") as refused:
        bench.context.flow.emit("one")
    assert bench.attempt.fault is refused.value
    assert len(bench.attempt.emits) == 3


def test_one_byte_too_many_of_all_payloads_is_a_fault():
    bench = Bench(gather_bytes=10)
    bench.context.flow.emit("one", "x" * 6)
    bench.context.flow.emit("one", 12)
    with pytest.raises(PayloadError, match="10 bytes of payload in one attempt: raise `limits") as refused:
        bench.context.flow.emit("one", 1)
    assert bench.attempt.fault is refused.value
    assert bench.attempt.emits_bytes == 10


def test_a_payload_that_cannot_be_recorded_is_named(bench):
    with pytest.raises(PayloadError, match="the payload of `one` cannot be recorded"):
        bench.context.flow.emit("one", object())
    with pytest.raises(PayloadError, match="the payload of `one` has 2,002 bytes, the limit is 1,000"):
        bench.context.flow.emit("one", "x" * 2_000)
    assert bench.attempt.emits == []


def test_one_change_too_many_is_a_fault(bench):
    state = bench.context.state
    for _ in range(MAX_CHANGES):
        state.incr("k")
    with pytest.raises(PayloadError):
        state.incr("k")
    assert bench.attempt.fault is not None
    assert len(bench.attempt.changes) == MAX_CHANGES


def test_changes_are_recorded_as_they_are_made_and_seen_at_once(bench):
    bench.stored = {"n": 5, "old": "x"}
    state = bench.context.state
    assert state.incr("n", 2) == 7
    state.set("new", [1])
    state.delete("old")
    assert (state.get("n"), state.get("new"), state.get("old", "gone")) == (7, [1], "gone")
    assert [(change.op, change.key, change.value) for change in bench.attempt.changes] == [
        ("incr", "n", b"2"),
        ("set", "new", b"[1]"),
        ("delete", "old", b""),
    ]
    assert orjson.loads(bench.attempt.changes[0].data) == {"op": "incr", "key": "n", "by": 2, "scope": "run"}


@pytest.mark.parametrize("value", ["text", True, [1], None])
def test_only_numbers_are_counted_up(bench, value):
    bench.context.state.set("k", 1)
    with pytest.raises(PayloadError, match="cannot be counted up"):
        bench.context.state.incr("k", value)
    assert len(bench.attempt.changes) == 1


def test_a_value_that_was_set_does_not_change_behind_the_state(bench):
    state, value = bench.context.state, [1]
    state.set("k", value)
    value.append(2)
    assert state.get("k") == [1]


@pytest.mark.parametrize("key", ["", "x" * 257, None, 7])
def test_a_key_is_a_short_text(bench, key):
    with pytest.raises(PayloadError, match="is no key of the state"):
        bench.context.state.set(key, 1)
    with pytest.raises(PayloadError, match="is no key of the state"):
        bench.context.state.get(key)


def test_progress_stays_between_none_and_all(bench):
    for fraction in (-1, 0.123456, 7, float("nan")):
        bench.context.progress(fraction)
    assert [line["data"]["progress"] for line in lines_of(bench)] == [0.0, 0.1235, 1.0, 0.0]


def test_each_line_asks_for_a_report(bench):
    bench.context.logger.info("one")
    bench.context.logger.info("two")
    assert bench.buffered == 2


def test_lines_are_bounded_by_number():
    bench = Bench()
    for n in range(MAX_EVENTS + 100):
        bench.context.logger.info(str(n))
    assert len(bench.attempt.events) == MAX_EVENTS + 1
    assert "the rest is dropped" in lines_of(bench)[-1]["message"]


def test_lines_are_bounded_by_bytes():
    bench = Bench(payload_bytes=2 << 20)
    for _ in range(40):
        bench.context.logger.log("info", "large", {"value": "x" * (1 << 20)})
    assert sum(len(event.data) for event in bench.attempt.events) <= MAX_EVENTS_BYTES
    assert "the rest is dropped" in lines_of(bench)[-1]["message"]


def test_records_and_prints_belong_to_the_step_that_runs_on_this_thread(bench, monkeypatch):
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", PrintsToLog(out))
    record = logging.LogRecord("users.own", logging.WARNING, __file__, 1, "from %s", ("here",), None)
    print("before")
    RecordsToLog().emit(record)
    with Capture(bench.context):
        print("one\ntwo", end="")
        RecordsToLog().emit(record)
        print(" goes on")
        print("unfinished", end="")
        sys.stdout.flush()
    print("after")
    assert out.getvalue() == "before\nafter\n"
    assert [line["message"] for line in lines_of(bench)] == ["one", "from here", "two goes on", "unfinished"]


def test_a_context_ends_with_its_handler_whatever_it_raises(bench, monkeypatch):
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", PrintsToLog(out))

    def handler():
        with Capture(bench.context):
            print("said", end="")
            raise SystemExit

    with pytest.raises(SystemExit):
        handler()
    print("after")
    assert out.getvalue() == "after\n"
    assert [line["message"] for line in lines_of(bench)] == ["said"]
