"""What a worker asks the store to record with an attempt, in the order of the scripts' arguments."""

from __future__ import annotations

from collections.abc import Sequence
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


class Target(NamedTuple):
    """A subscriber of an emission; `takeable` where this process serves its queue."""

    step: str
    queue: str
    place: int
    takeable: bool


class Emission(NamedTuple):
    """An emitted event; its payload is the last member of `data` and begins at byte `offset`, from 1."""

    ts: int
    path: str
    offset: int
    data: bytes
    event: str
    targets: Sequence[Target]
