"""`python -m tests.properties.walk --steps 10000`: the state machine for as long as one likes."""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.embedded.server import EmbeddedServer
from tests.properties.machine import COUNTS, Machine

#: Steps of one example.
STEPS_AN_EXAMPLE = 50

#: Examples of one seed.
EXAMPLES_A_SEED = 20


def walk(url: str, *, examples: int, number: int | None = None, is_quick: bool = False) -> None:
    """Let the machine run through some examples.

    Args:
        url: A server; what is written to it is removed.
        examples: How many.
        number: The seed: the same ones for the same number.
        is_quick: Whether a finding is told as it was found; else it is made small first.
    """

    def begin() -> Machine:
        return Machine(url)

    factory: Any = begin if number is None else seed(number)(begin)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS_AN_EXAMPLE,
            deadline=None,
            # What was found before must not make a difference to what a seed does.
            database=settings().database if number is None else None,
            report_multiple_bugs=False,
            phases=[Phase.generate] if is_quick else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )


def main() -> None:
    """Walk, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000, help="how many, at least")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--quick", action="store_true", help="tell a finding as it was found")
    chosen = parser.parse_args()
    print(f"from seed {chosen.seed}", flush=True)
    number = chosen.seed
    with (
        tempfile.TemporaryDirectory(prefix="flowengine-walk-") as folder,
        EmbeddedServer(Path(folder)) as server,
    ):
        while COUNTS["steps"] < chosen.steps:
            try:
                walk(server.url, examples=EXAMPLES_A_SEED, number=number, is_quick=chosen.quick)
            except BaseException:
                print(f"found with --seed {number}", flush=True)
                raise
            number += 1
    print(f"{COUNTS['steps']:,} steps without a finding, seeds {chosen.seed} to {number - 1}")
    for what, count in sorted(COUNTS.items()):
        print(f"{count:8,} {what}")


if __name__ == "__main__":
    main()
