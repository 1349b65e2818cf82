"""Handlers of `flows/hello.yaml`: a function for each step."""

from __future__ import annotations

from engine import Context, Job

# Change these while `flowengine dev` runs: the next run greets with what you saved.
WORDS = ["Hello", "Bonjour", "Habari", "Namaste"]


def start(job: Job, ctx: Context) -> None:
    """Ask for a greeting with each word; `job.data` is what the run was started with."""
    name = job.data.get("name", "world")
    ctx.logger.info(f"greeting {name} in {len(WORDS)} languages")
    for word in WORDS:
        ctx.flow.emit("greeting.wanted", {"word": word, "name": name})


def greet(job: Job, ctx: Context) -> None:
    """Make one greeting; `job.data` is the payload of the event."""
    greeting = f"{job.data['word']}, {job.data['name']}!"
    ctx.flow.emit("greeting.made", greeting)


def write(job: Job, ctx: Context) -> dict[str, list[str]]:
    """Put the greetings together; what the last step returns is the result of the run."""
    return {"greetings": job.data}
