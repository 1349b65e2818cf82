"""Flows that are worth looking at, as plans."""

from __future__ import annotations

from engine.compile.plan import Plan
from tests.support.store import plan_from


def order() -> Plan:
    """A flow of eight steps: a fork, a way around a step, two joins."""
    return plan_from(
        {
            "receive": {"emits": ["order.received"]},
            "fraud_check": {
                "subscribes": "order.received",
                "emits": ["order.suspect", "order.cleared"],
                "queue": "ml",
            },
            "reserve": {"subscribes": "order.received", "emits": ["stock.reserved"]},
            "review": {"subscribes": "order.suspect", "emits": ["order.cleared"]},
            "charge": {
                "subscribes": {"all": ["order.cleared", "stock.reserved"]},
                "emits": ["payment.done", "payment.logged"],
                "priority": 2,
                "concurrency": 4,
            },
            "ship": {"subscribes": "payment.done", "emits": ["shipped"]},
            "invoice": {"subscribes": "payment.done", "emits": ["invoiced"]},
            "notify": {"subscribes": {"all": ["shipped", "invoiced"]}},
        },
        flow="order",
    )


def census() -> Plan:
    """A fan-out that is gathered."""
    return plan_from(
        {
            "list": {"emits": ["module.listed"]},
            "analyse": {"subscribes": "module.listed", "emits": ["module.analysed"]},
            "report": {"subscribes": {"collect": "module.analysed"}},
        },
        flow="census",
    )
