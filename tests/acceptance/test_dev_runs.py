"""What `flowengine dev` makes of runs that are on their way while files are saved."""

from __future__ import annotations

import pytest

from engine.events.types import STEP_STARTED, STEP_UNROUTABLE
from tests.acceptance.command import LIMIT_S
from tests.support.studio import STOPPED
from tests.support.wait import wait_until

#: A flow whose first step waits at a gate, and which has two more.
TRIP = """\
flow: trip
steps:
  pack: {role: entry, handler: handlers.trip:pack, emits: [packed]}
  drive: {subscribes: packed, handler: handlers.trip:drive, emits: [driven]}
  rest: {subscribes: driven, handler: handlers.trip:rest}
"""

#: The same flow with a step before.
CALLED_TRIP = TRIP.replace(
    "pack: {role: entry",
    "call: {role: entry, handler: handlers.trip:call, emits: [called]}\n  pack: {subscribes: called",
)

GATE = """\
import pathlib
import time


def pack(job, ctx):
    gate = job.data.get("gate")
    if gate:
        pathlib.Path(gate + ".begun").touch()
        while not pathlib.Path(gate).exists():
            time.sleep(0.01)
    ctx.flow.emit("packed", ["packed"])


"""
DRIVE = """\
def drive(job, ctx):
    ctx.flow.emit("driven", [*job.data, "driven"])


"""
REST = """\
def rest(job, ctx):
    return [*job.data, "rested"]
"""


CALL = """\
def call(job, ctx):
    ctx.flow.emit("called", job.data)


"""


@pytest.fixture
def trip(studio):
    """The project, with this flow alone."""
    for name in ("flows/shop.yaml", "handlers/shop.py"):
        (studio.root / name).unlink()
    studio.write("flows/trip.yaml", TRIP)
    studio.write("handlers/trip.py", GATE + DRIVE + REST)
    return studio


def at_the_gate(trip, gate="gate"):
    """A run whose step `pack` waits."""
    run_id = trip.begin("trip", {"gate": gate})
    trip.wait_for_file(f"{gate}.begun")
    return run_id


def test_a_run_goes_on_while_all_around_it_is_edited(trip):
    trip.write("flows/trip.yaml", CALLED_TRIP)
    trip.write("handlers/trip.py", CALL + GATE + DRIVE + REST)
    dev = trip.dev()
    first = trip.version("trip")
    run_id = at_the_gate(trip)

    trip.edit("handlers/trip.py", '"rested"', '"rested well"')
    told = dev.hears("anew")
    trip.edit("flows/trip.yaml", "subscribes: driven", "subscribes: drven")
    told += dev.hears("there may be more")
    trip.edit("flows/trip.yaml", "subscribes: drven", "subscribes: driven")
    told += dev.hears("mended: ")
    trip.write(
        "flows/trip.yaml", CALLED_TRIP + "  sleep: {subscribes: driven, handler: handlers.trip:rest}\n"
    )
    second = trip.version("trip")
    told += dev.hears("sleep added")
    without = [line for line in CALLED_TRIP.splitlines() if "drive:" not in line]
    trip.write("flows/trip.yaml", "\n".join(without).replace("driven", "packed"))
    third = trip.version("trip")
    told += dev.hears("removed")
    trip.write("handlers/trip.py", CALL + GATE + REST.replace("rested", "rested well"))
    told += dev.hears("anew")

    assert trip.result("trip") == ["packed", "rested well"]
    trip.write("gate", "")
    # Its version has the step whose function is no longer there, and the new code of the one after it.
    assert trip.result_of(run_id) == ["packed", "driven", "rested well"]
    assert trip.workers_of(run_id) == {dev.worker_id}
    versions = {run["version"] for run in trip.json("runs")}
    assert versions == {first, third}
    assert trip.json("show", run_id)["version"] == first
    assert f"flow     trip@{first[:8]}" in trip.run("show", run_id).stdout

    code, rest = dev.stop()
    assert (code, len(rest), rest[-1]) == (0, 2, STOPPED)
    new_code = "loaded handlers.trip anew: new code for trip.call, trip."
    assert [line for line in told if line] == [
        f"{new_code}drive, trip.pack, trip.rest",
        "not in force; what was in force stays so",
        "error[FE403]: step `rest` subscribes to `drven`, which no step emits",
        " --> flows/trip.yaml:6:22",
        "  |",
        "6 |   rest: {subscribes: drven, handler: handlers.trip:rest}",
        "  |                      ^^^^^",
        "5 |   drive: {subscribes: packed, handler: handlers.trip:drive, emits: [driven]}",
        f"  |{'':69}------ `driven` is emitted here",
        "  = help: did you mean `driven`?",
        "1 error in 1 file; there may be more once this is mended",
        "mended: nothing differs from what is served",
        f"trip {first[:8]} → {second[:8]}: sleep added; runs on {first[:8]} finish on it",
        f"trip {second[:8]} → {third[:8]}: rest altered, drive, sleep removed",
        f"{new_code}pack, trip.rest",
    ]


def test_a_step_that_nobody_can_serve_waits_and_says_why_until_its_function_is_back(trip):
    trip.env["FLOWENGINE_WORKER_LEASE"] = "2s"
    first = trip.dev()
    run_id = at_the_gate(trip)
    first.kill()
    trip.write("flows/trip.yaml", TRIP.replace(":drive", ":fly"))
    trip.write("handlers/trip.py", GATE + DRIVE.replace("def drive", "def fly") + REST)
    trip.write("gate", "")
    second = trip.dev()

    [event] = wait_until(lambda: trip.shop.events(run_id, STEP_UNROUTABLE), timeout_s=LIMIT_S)
    assert (event.step_id, event.data["worker"]) == ("drive#1", second.worker_id)
    drive = next(step for step in trip.json("show", run_id)["steps"] if step["step"] == "drive")
    assert (drive["state"], drive["attempt"]) == ("waiting", 0)
    assert drive["unroutable"] == (
        "handler `handlers.trip:drive`: module `handlers.trip` has no function `drive`"
    )
    assert "cannot be served: handler `handlers.trip:drive`" in trip.run("show", run_id).stdout

    trip.write("handlers/trip.py", GATE + DRIVE + DRIVE.replace("def drive", "def fly") + REST)
    assert trip.result_of(run_id) == ["packed", "driven", "rested"]
    assert len(trip.shop.events(run_id, STEP_UNROUTABLE)) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_a_run_ends_although_the_file_of_its_flow_is_gone(trip, restarts):
    trip.env["FLOWENGINE_WORKER_LEASE"] = "2s"
    other = "flow: other\nsteps:\n  rest: {role: entry, handler: handlers.trip:rest}\n"
    trip.write("flows/other.yaml", other)
    dev = trip.dev()
    run_id = at_the_gate(trip)
    (trip.root / "flows/trip.yaml").unlink()
    assert dev.hears("trip ")[-1].startswith("trip ")
    assert " is gone; runs on " in "\n".join(dev.lines)
    if restarts:
        dev.kill()
        dev = trip.dev()
    trip.write("gate", "")

    assert trip.result_of(run_id) == ["packed", "driven", "rested"]
    assert dev.worker_id in trip.workers_of(run_id)


def test_a_step_moves_to_another_queue_and_back_while_its_job_waits(trip):
    trip.dev("--threads", "1")
    run_ids = [at_the_gate(trip)]
    for queue in ("other", "pack", "third"):
        # The one thread is at the gate: this one waits in the queue of before.
        run_ids.append(trip.begin("trip"))
        trip.write("flows/trip.yaml", TRIP.replace("role: entry", f"role: entry, queue: {queue}"))
        trip.wait_for_version("trip")
    trip.write("gate", "")

    assert [trip.result_of(one) for one in run_ids] == [["packed", "driven", "rested"]] * 4


def test_a_step_becomes_async_and_back_while_its_job_waits(trip):
    dev = trip.dev("--threads", "1")
    gate_holder = at_the_gate(trip)
    waiting = [trip.begin("trip") for _ in range(5)]
    trip.edit("handlers/trip.py", "def rest", "async def rest")
    dev.hears("anew")
    waiting += [trip.begin("trip") for _ in range(5)]
    trip.edit("handlers/trip.py", "async def rest", "def rest")
    dev.hears("anew")
    trip.edit("handlers/trip.py", "def drive", "async def drive")
    dev.hears("anew")
    trip.write("gate", "")

    for run_id in [gate_holder, *waiting]:
        assert trip.result_of(run_id) == ["packed", "driven", "rested"]
        assert [event.attempt for event in trip.shop.events(run_id, STEP_STARTED)] == [1, 1, 1]
