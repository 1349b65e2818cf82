"""What a fan-out asks of the server at a time: while a script runs, everybody else waits."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict

import pytest

from tests.support.worker import Step, flow

#: Longest that a command may take, in microseconds.
LONGEST_US = 5_000

#: Commands that take less are not looked at, in microseconds.
SHORTEST_US = 300

#: Commands that one script may execute. Each takes the server a few microseconds.
MOST_COMMANDS = 1_500


def squares():
    """Emits as many numbers as the input says, squares them, and collects what all of them come to."""

    def spread(job, ctx):
        for n in range(job.data):
            ctx.flow.emit("item", n)

    async def wait(job, ctx):
        ctx.flow.emit("waited", job.data)

    return flow(
        "squares",
        {
            "spread": Step(spread, emits=("item",)),
            "square": Step(
                lambda job, ctx: ctx.flow.emit("done", job.data**2), on=("item",), emits=("done",)
            ),
            "wait": Step(wait, on=("item",), emits=("waited",)),
            "gather": Step(lambda job, ctx: [len(job.data), sum(job.data)], collect="done"),
            "gather_too": Step(lambda job, ctx: [len(job.data), sum(job.data)], collect="waited"),
        },
    )


@pytest.fixture
def slow_log(workshop):
    """Keeps commands that take as long as it is told; answers what they were."""
    names = {script.sha.encode(): name for name, script in workshop.store.scripts.items()}

    class SlowLog:
        def keep(self, longer_than_us, *, entries):
            with workshop.store.talking() as client:
                client.config_set("slowlog-log-slower-than", longer_than_us)
                client.config_set("slowlog-max-len", entries)
                client.slowlog_reset()

        def entries(self):
            """Names of scripts or commands and their microseconds, oldest first."""
            with workshop.store.talking() as client:
                found = client.slowlog_get(-1)
            return [(self._name(entry["command"]), entry["duration"]) for entry in reversed(found)]

        def _name(self, command):
            word, _, rest = command.partition(b" ")
            return names.get(rest[:40], "?") if word.upper() == b"EVALSHA" else word.decode().upper()

    yield SlowLog()
    with workshop.store.talking() as client:
        client.config_set("slowlog-log-slower-than", 10_000)
        client.config_set("slowlog-max-len", 128)
        client.slowlog_reset()


@pytest.mark.timeout(120)
def test_no_command_of_a_fan_out_of_10_000_holds_the_server_up(workshop, slow_log):
    """By the middle of what each takes: single ones take longer when the machine has other things to do.

    What a script does once in a while shows in the commands that it executes.
    """
    fan = squares()
    workshop.work(fan, threads=4)
    slow_log.keep(SHORTEST_US, entries=200_000)
    run = workshop.run(fan, 10_000, timeout_s=100)
    assert run.result == {
        "gather": [10_000, sum(n**2 for n in range(10_000))],
        "gather_too": [10_000, sum(range(10_000))],
    }
    taken = defaultdict(list)
    for name, duration_us in slow_log.entries():
        taken[name].append(duration_us)
    assert {"unfold", "fetch"} <= set(taken)
    usual = {name: statistics.median(durations) for name, durations in taken.items() if len(durations) > 20}
    assert {name: taken_us for name, taken_us in usual.items() if taken_us > LONGEST_US} == {}


def test_no_script_of_a_fan_out_executes_more_commands_than_the_server_can_do_at_a_time(workshop, slow_log):
    fan = squares()
    workshop.work(fan, threads=4, async_steps=1_000)
    slow_log.keep(0, entries=200_000)
    run = workshop.run(fan, 1_000, timeout_s=30)
    assert run.status == "completed"
    most: Counter[str] = Counter()
    commands = 0
    # What a script has executed stands before it.
    for name, _ in slow_log.entries():
        commands += 1
        if name in workshop.store.scripts:
            most[name] = max(most[name], commands)
        if name in workshop.store.scripts or name in {"BLPOP", "EVALSHA"}:
            commands = 0
    assert {"commit", "stage", "unfold", "fetch"} <= set(most)
    assert max(most.values()) <= MOST_COMMANDS, most
