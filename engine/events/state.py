"""The two state machines of a run: its own status, and the state of each activation.

Theory of operation:

1. Everything that may change a status or a state stands in the two tables below, and
   nowhere else. The scripts in `store/scripts` guard the same moves; a test walks these
   tables against them.
2. An event moves the run's status by `RUN`, and the state of its activation by
   `ACTIVATION`. An event that has no row for the present state is illegal: it raises and
   changes nothing. Events that move nothing (`log`, `emit`, `state`, ...) have no rows.
3. A run is live (`running`), ending (`failing`, `cancelling`) or over. The first move away
   from `running` wins. `step.failed` moves the run only when it says `ends`.
4. The terminal event closes what is still open: an activation that was running becomes
   `cancelled`, one that was waiting or delayed becomes `dropped` (`CLOSED_BY_END`).
5. A lease leaves no event, so an attempt that died before its first report is `waiting`
   here: that is why `waiting` and `delayed` accept what `running` accepts.
"""

from __future__ import annotations

from typing import Final

from .types import (
    FLOW_CANCELLED,
    FLOW_CANCELLING,
    FLOW_COMPLETED,
    FLOW_FAILED,
    STEP_COMPLETED,
    STEP_FAILED,
    STEP_LOST,
    STEP_RETRY,
    STEP_SKIPPED,
    STEP_STARTED,
)

RUNNING: Final = "running"
FAILING: Final = "failing"
CANCELLING: Final = "cancelling"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

WAITING: Final = "waiting"
DELAYED: Final = "delayed"
SKIPPED: Final = "skipped"
DROPPED: Final = "dropped"

#: Statuses of a run, in the order in which a listing shows them.
STATUSES: Final = (RUNNING, FAILING, CANCELLING, COMPLETED, FAILED, CANCELLED)

#: Statuses in which a run is over.
ENDED: Final = frozenset({COMPLETED, FAILED, CANCELLED})

#: Status of a run, type of event → next status. `step.failed` counts only with `ends`.
RUN: Final = {
    RUNNING: {
        STEP_FAILED: FAILING,
        FLOW_CANCELLING: CANCELLING,
        FLOW_COMPLETED: COMPLETED,
        FLOW_FAILED: FAILED,
    },
    FAILING: {FLOW_FAILED: FAILED},
    CANCELLING: {FLOW_CANCELLED: CANCELLED},
    COMPLETED: {},
    FAILED: {},
    CANCELLED: {},
}

_OPEN_MOVES: Final = {
    STEP_STARTED: RUNNING,
    STEP_COMPLETED: COMPLETED,
    STEP_FAILED: FAILED,
    STEP_SKIPPED: SKIPPED,
    STEP_RETRY: DELAYED,
    STEP_LOST: WAITING,
}

#: State of an activation, type of event → next state.
ACTIVATION: Final = {
    WAITING: _OPEN_MOVES,
    DELAYED: _OPEN_MOVES,
    RUNNING: _OPEN_MOVES,
    COMPLETED: {},
    FAILED: {},
    SKIPPED: {},
    CANCELLED: {},
    DROPPED: {},
}

#: What the run's end makes of an activation that is still open.
CLOSED_BY_END: Final = {RUNNING: CANCELLED, WAITING: DROPPED, DELAYED: DROPPED}

#: States in which an activation is open.
OPEN: Final = frozenset(CLOSED_BY_END)
