"""Handlers of `flows/hello.yaml`."""

from __future__ import annotations

from engine import Context, Job


def start(job: Job, ctx: Context) -> None:
    """Find out whom to greet, and announce it."""
    name = job.data.get("name", "world")
    ctx.logger.info(f"somebody greets {name}")
    ctx.flow.emit("data.ready", {"name": name})


def greet(job: Job, ctx: Context) -> dict[str, str]:
    """Greet; what the last step returns is the result of the run."""
    return {"greeting": f"Hello, {job.data['name']}!"}
