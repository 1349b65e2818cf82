"""Fan-outs of every width, collected again: exact, in order, and never hanging."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.events.state import COMPLETED, FAILED
from engine.events.types import EMIT, FLOW_COMPLETED, FLOW_FAILED, STEP_COMPLETED, STEP_FAILED
from engine.store.ledger import EMITS_A_PART
from tests.support.worker import PAYLOAD_BYTES, Step, alone, assert_recorded_once, flow


def spread(job, ctx):
    """Emits as many items as the input says."""
    for n in range(job.data["width"]):
        ctx.flow.emit("item", n)


def square(job, ctx):
    ctx.flow.emit("done", [job.data, job.data**2])


def gathered(job, ctx):
    return job.data


def squares(work=square, **options):
    """`spread` emits numbers, `square` squares each, `gather` collects them in the order of their emits."""
    return flow(
        "squares",
        {
            "spread": Step(spread, emits=("item",)),
            "square": Step(work, on=("item",), emits=("done",), options=options),
            "gather": Step(gathered, collect="done"),
        },
    )


def error_of(run):
    """Type and message of the error of a run."""
    return run.error["type"], run.error["message"]


def assert_gathered(workshop, run, width):
    """Each item was squared once, and the collect was given all of them in the order of the log."""
    events = workshop.events(run.run_id)
    assert run.status == COMPLETED
    assert sorted(run.result) == [[n, n**2] for n in range(width)]
    emits = [event.data for event in events if event.type == EMIT]
    assert run.result == [emit["payload"] for emit in emits if emit["event"] == "done"]
    items = [emit for emit in emits if emit["event"] == "item"]
    assert [item["payload"] for item in items] == list(range(width))
    assert [item["to"] for item in items] == [[f"square#{n}"] for n in range(1, width + 1)]
    assert_recorded_once(events, "spread#1", "gather#1", *(f"square#{n}" for n in range(1, width + 1)))
    assert events[-1].type == FLOW_COMPLETED


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("width", [0, 1, EMITS_A_PART, EMITS_A_PART + 1, 200, 201, 1_000])
def test_a_fan_out_of_any_width_is_gathered_exactly(workshop, width, workers):
    wide = squares()
    for _ in range(workers):
        workshop.work(wide)
    assert_gathered(workshop, workshop.run(wide, {"width": width}, timeout_s=30), width)


def test_many_fan_outs_at_once_do_not_mix(workshop):
    wide = squares()
    ids = [workshop.start(wide, {"width": width}) for width in (0, 300, 7, 120, 60, 1, 51, 250)]
    for _ in range(3):
        workshop.work(wide)
    for run in workshop.all_ended(ids):
        assert_gathered(workshop, run, run.input["width"])


def test_a_wide_fan_out_tells_how_wide_it_is_and_numbers_what_it_lays_out(workshop):
    wide = squares()
    workshop.work(wide)
    run = workshop.run(wide, {"width": 120})
    [completed] = [e for e in workshop.events(run.run_id, STEP_COMPLETED) if e.step_id == "spread#1"]
    assert completed.data["emits"] == 120
    items = [e.data for e in workshop.events(run.run_id, EMIT) if e.step_id == "spread#1"]
    assert [item["k"] for item in items] == list(range(1, 121))
    assert [item["path"] for item in items] == [f"0.{n}" for n in range(1, 121)]


@pytest.mark.parametrize(("outer", "inner"), [(3, 2), (5, 120), (120, 3), (0, 7), (7, 0)])
def test_a_fan_out_inside_a_fan_out_is_gathered_as_one_list(workshop, outer, inner):
    def begin(job, ctx):
        for n in range(outer):
            ctx.flow.emit("outer", n)

    def part(job, ctx):
        for n in range(inner):
            ctx.flow.emit("inner", [job.data, n])

    nested = flow(
        "nested",
        {
            "begin": Step(begin, emits=("outer",)),
            "part": Step(part, on=("outer",), emits=("inner",)),
            "leaf": Step(lambda job, ctx: ctx.flow.emit("leaf", job.data), on=("inner",), emits=("leaf",)),
            "gather": Step(gathered, collect="leaf"),
        },
    )
    for _ in range(3):
        workshop.work(nested)
    run = workshop.run(nested, timeout_s=30)
    assert run.status == COMPLETED
    assert sorted(run.result) == [[a, b] for a in range(outer) for b in range(inner)]
    assert run.created == {
        name: count
        for name, count in {"begin": 1, "part": outer, "leaf": outer * inner, "gather": 1}.items()
        if count
    }


@pytest.mark.parametrize("width", [0, 5, 75])
def test_a_collect_behind_a_collect_waits_for_it(workshop, width):
    def total(job, ctx):
        for n, (_, value) in enumerate(sorted(job.data)):
            ctx.flow.emit("sum", [n, value])

    double = flow(
        "double",
        {
            "spread": Step(spread, emits=("item",)),
            "square": Step(square, on=("item",), emits=("done",)),
            "total": Step(total, collect="done", emits=("sum",)),
            "report": Step(lambda job, ctx: [value for _, value in job.data], collect="sum"),
        },
    )
    for _ in range(3):
        workshop.work(double)
    run = workshop.run(double, {"width": width})
    assert run.result == [n**2 for n in range(width)]
    assert (run.created["total"], run.created["report"]) == (1, 1)


def test_two_collects_of_one_event_are_given_the_same_list(workshop):
    both = flow(
        "both",
        {
            "spread": Step(spread, emits=("item",)),
            "square": Step(square, on=("item",), emits=("done",)),
            "first": Step(gathered, collect="done"),
            "second": Step(gathered, collect="done"),
        },
    )
    for _ in range(2):
        workshop.work(both)
    run = workshop.run(both, {"width": 90})
    assert sorted(run.result) == ["first", "second"]
    assert run.result["first"] == run.result["second"]
    assert sorted(run.result["first"]) == [[n, n**2] for n in range(90)]


def choose(job, ctx):
    for n in range(60):
        ctx.flow.emit(job.data, n)


def branches():
    """Two branches, each a fan-out with a collect of its own; a run takes one of them."""
    return flow(
        "branches",
        {
            "choose": Step(choose, emits=("a", "b")),
            "on_a": Step(lambda job, ctx: ctx.flow.emit("a.done", job.data), on=("a",), emits=("a.done",)),
            "on_b": Step(lambda job, ctx: ctx.flow.emit("b.done", job.data), on=("b",), emits=("b.done",)),
            "all_a": Step(gathered, collect="a.done"),
            "all_b": Step(gathered, collect="b.done"),
        },
    )


@pytest.mark.parametrize(("taken", "other"), [("a", "b"), ("b", "a")])
def test_a_collect_whose_branch_was_not_taken_does_not_fire_and_holds_nothing_up(workshop, taken, other):
    fork = branches()
    workshop.work(fork)
    run = workshop.run(fork, taken)
    assert run.status == COMPLETED
    assert sorted(run.result) == [f"all_{taken}"]
    assert sorted(run.result[f"all_{taken}"]) == list(range(60))
    assert f"all_{other}" not in run.created


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_fails_fails_the_run_and_nothing_hangs(workshop, workers):
    def fragile(job, ctx):
        if job.data == 7:
            raise ValueError("seven")
        square(job, ctx)

    wide = squares(fragile)
    for _ in range(workers):
        workshop.work(wide)
    run = workshop.run(wide, {"width": 300})
    assert (run.status, run.failed_step) == (FAILED, "square")
    assert error_of(run) == ("ValueError", "seven")
    assert "gather" not in run.created
    [failed] = workshop.events(run.run_id, STEP_FAILED)
    assert failed.step_id == "square#8"
    assert workshop.events(run.run_id)[-1].type == FLOW_FAILED
    assert workshop.leased() == []


def test_a_run_that_fails_while_a_fan_out_is_laid_out_lays_out_no_more(workshop):
    """The first item fails, long before the last of 5,000 can be due."""

    def fragile(job, ctx):
        raise ValueError(job.data)

    wide = squares(fragile)
    workshop.work(wide)
    run = workshop.run(wide, {"width": 5_000})
    assert (run.status, run.failed_step) == (FAILED, "square")
    assert run.emits < 5_000
    with workshop.store.talking() as client:
        assert client.exists(f"{workshop.store.keys.prefix}:unfolding") == 0


def test_items_that_fail_all_at_once_fail_the_run_once(workshop):
    def fragile(job, ctx):
        raise ValueError("all of them")

    wide = squares(fragile)
    workshop.work(wide, threads=8)
    run = workshop.run(wide, {"width": 40})
    assert run.status == FAILED
    failures = Counter(event.data.get("ends", False) for event in workshop.events(run.run_id, STEP_FAILED))
    assert failures[True] == 1
    assert len(workshop.events(run.run_id, FLOW_FAILED)) == 1


def test_as_many_events_as_the_limit_says_are_emitted_and_one_more_fails_the_step(workshop):
    wide = squares()
    workshop.work(wide, fan_out=120)
    assert_gathered(workshop, workshop.run(wide, {"width": 120}), 120)
    run = workshop.run(wide, {"width": 121})
    assert (run.status, run.failed_step, run.emits) == (FAILED, "spread", 0)
    assert error_of(run) == (
        "PayloadError",
        "step `spread` emitted more than 120 events in one attempt: "
        "raise `limits.fan_out`, or let one event stand for several items",
    )


def test_more_bytes_than_one_attempt_may_emit_fail_the_step(workshop):
    large = alone(lambda job, ctx: [ctx.flow.emit("said", "x" * 998) for _ in range(4)], emits=["said"])
    workshop.work(large, gather_bytes=3_500)
    run = workshop.run(large)
    assert (run.status, run.failed_step, run.emits) == (FAILED, "only", 0)
    assert error_of(run) == (
        "PayloadError",
        "step `only` emitted more than 3,500 bytes of payload in one attempt: "
        "raise `limits.gather_bytes`, or pass references to what is kept elsewhere",
    )


def test_more_bytes_than_a_collect_may_read_fail_its_step(workshop):
    wide = squares(lambda job, ctx: ctx.flow.emit("done", "x" * 98))
    workshop.work(wide, gather_bytes=1_000)
    run = workshop.run(wide, {"width": 10})
    assert run.result == ["x" * 98] * 10
    run = workshop.run(wide, {"width": 11})
    assert (run.status, run.failed_step) == (FAILED, "gather")
    assert error_of(run) == (
        "PayloadError",
        "the input of step `gather` has more than 1,000 bytes: "
        "raise `limits.gather_bytes`, or emit references to what is kept elsewhere",
    )


def test_many_megabytes_of_payloads_are_gathered_exactly(workshop):
    """300 payloads of 100 kB: more than one pipeline takes, and more than one commit may."""

    def begin(job, ctx):
        for n in range(300):
            ctx.flow.emit("item", [n, chr(97 + n % 26) * 100_000])

    large = flow(
        "large",
        {
            "begin": Step(begin, emits=("item",)),
            "pass_on": Step(lambda job, ctx: ctx.flow.emit("done", job.data), on=("item",), emits=("done",)),
            "gather": Step(
                lambda job, ctx: [[n, text[0], len(text)] for n, text in job.data], collect="done"
            ),
        },
    )
    workshop.work(large, threads=2)
    workshop.work(large, threads=2)
    run = workshop.run(large, timeout_s=40)
    assert run.status == COMPLETED
    assert sorted(run.result) == [[n, chr(97 + n % 26), 100_000] for n in range(300)]


@pytest.mark.parametrize("count", [1, 2, 20])
def test_payloads_as_large_as_they_may_be_arrive_whole(workshop, count):
    value = "x" * (PAYLOAD_BYTES - 2)

    def begin(job, ctx):
        for _ in range(count):
            ctx.flow.emit("item", value)

    large = flow(
        "large",
        {
            "begin": Step(begin, emits=("item",)),
            "measure": Step(
                lambda job, ctx: ctx.flow.emit("size", len(job.data)), on=("item",), emits=("size",)
            ),
            "gather": Step(gathered, collect="size"),
        },
    )
    workshop.work(large)
    assert workshop.run(large, timeout_s=30).result == [PAYLOAD_BYTES - 2] * count


def test_wide_and_narrow_steps_of_many_runs_get_their_turn(workshop):
    """A fan-out that is laid out part by part does not keep others from being settled."""
    wide, quick = squares(), alone(lambda job, ctx: job.data)
    workshop.work(wide, quick, threads=2)
    run_id = workshop.start(wide, {"width": 2_000})
    quick_ids = [workshop.start(quick, n) for n in range(20)]
    workshop.all_ended(quick_ids)
    assert_gathered(workshop, workshop.ended(run_id, timeout_s=30), 2_000)
    ends = [workshop.state(each).ended_at_ms for each in quick_ids]
    assert max(ends) < workshop.state(run_id).ended_at_ms
