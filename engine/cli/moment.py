"""A point in time as it is written on the command line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import click

from engine.clock import now_ms

_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

_AGE: Final = re.compile(rf"([0-9]{{1,9}})({'|'.join(_UNIT_MS)})")


def moment(text: str) -> int:
    """A time in ms since the epoch, from an age or from a date with or without a time.

    A date without a zone is of this machine's zone.

    Raises:
        BadParameter: It is neither.
    """
    age = _AGE.fullmatch(text)
    if age is not None:
        return now_ms() - int(age[1]) * _UNIT_MS[age[2]]
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise click.BadParameter(
            f"`{text}` is neither an age, such as 30m, 2h or 7d, nor a date, "
            "such as 2026-11-24 or 2026-11-24T18:30"
        ) from error
