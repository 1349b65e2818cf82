"""What a worker asks the store to record with an attempt, in the order of the scripts' arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class BufferedEvent(NamedTuple):
    """An event of a running attempt: its type, its time in ms, its data as JSON."""

    type: str
    ts: int
    data: bytes


class Change(NamedTuple):
    """A change of the run's handler state.

    `data` is the `state` event's, `value` the new value or what is added.
    """

    op: str
    key: str
    value: bytes
    ts: int
    data: bytes


class Emission(NamedTuple):
    """An emitted event; its payload is the last member of `data` and begins at byte `offset`, from 1."""

    ts: int
    path: str
    offset: int
    event: str
    data: bytes


class Emitted(NamedTuple):
    """An event that a handler has emitted: its time in ms, its name, its payload as JSON."""

    ts: int
    event: str
    payload: bytes


class Target(NamedTuple):
    """A subscriber of an event.

    `join` has the events that a join waits for and is empty for other steps; `takeable` is 1 where the
    job may go to the process that records the event; `covers` and `arms` are places, from 1, in the
    routing's collects. Lists are joined by ",".
    """

    step: str
    queue: str
    place: int
    priority: int
    join: str
    takeable: int
    covers: str
    arms: str


class Collect(NamedTuple):
    """A collect that waits for a step; the fields are as a target's, `event` is what it collects."""

    step: str
    queue: str
    place: int
    priority: int
    event: str
    covers: str
    arms: str


class Routing(NamedTuple):
    """What may follow when an attempt of a step is settled.

    `joins` names the plan's joins with their events, `step:event,event step:event`; `collects` are
    those that wait for the step, each after those before it; `targets` are the subscribers of each
    event that it has emitted.
    """

    joins: str
    collects: Sequence[Collect]
    targets: Mapping[str, Sequence[Target]]
