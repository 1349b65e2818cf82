"""Runs and plans as they lie in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.compile.plan import Plan
from engine.errors import RunNotFound
from engine.events.fold import RunState, fold
from engine.events.types import Event
from engine.store.connection import Store
from engine.store.index import RunIndex
from engine.store.log import EventLog
from engine.store.plans import Plans

from .failure import UsageError


def pinned_plan(store: Store, flow: str, version: str) -> Plan:
    """The plan that a run is pinned to.

    Raises:
        VersionNotFound: It is not in the store.
    """
    return Plan.from_dict(Plans(store).read(flow, version), version)


def find_run(store: Store, beginning: str) -> str:
    """The id of the run whose id begins so.

    Raises:
        UsageError: The beginning is empty, which every id begins with.
        RunNotFound: No run's id begins so, or several do.
    """
    if not beginning:
        raise UsageError("RUN is empty; write a run's id, or the beginning of one")
    return RunIndex(store).find(beginning)


def read_run(
    store: Store, beginning: str, *, noting: Callable[[Iterable[Event]], Iterable[Event]]
) -> tuple[RunState, Plan]:
    """The state of a run and the plan that it is pinned to.

    Args:
        store: Where it is.
        beginning: Its id, or so much of it that only one run fits.
        noting: Passes the events on, and sees those that the state does not keep.

    Raises:
        UsageError: The beginning is empty.
        RunNotFound: No run's id begins so, or several do.
    """
    run_id = find_run(store, beginning)
    state = fold(noting(EventLog(store).read_all(run_id)))
    if state is None:
        raise RunNotFound(f"run `{run_id}` has just been removed from the store")
    return state, pinned_plan(store, state.flow, state.version)
