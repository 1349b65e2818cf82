"""Runs and plans as they lie in the store."""

from __future__ import annotations

from engine.compile.plan import Plan
from engine.errors import RunNotFound
from engine.events.fold import RunState, fold
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


def read_run(store: Store, beginning: str) -> tuple[RunState, Plan]:
    """The state of a run and the plan that it is pinned to.

    Raises:
        UsageError: The beginning is empty.
        RunNotFound: No run's id begins so, or several do.
    """
    run_id = find_run(store, beginning)
    state = fold(EventLog(store).read_all(run_id))
    if state is None:
        raise RunNotFound(f"run `{run_id}` has just been removed from the store")
    return state, pinned_plan(store, state.flow, state.version)
