"""A command on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.acceptance.command import LIMIT_S, Project


def screen_of(project: Project, *arguments: str, columns: int) -> tuple[str, int]:
    """What a command writes on a terminal of so many columns, and its exit code."""
    above, below = pty.openpty()
    project.env |= {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "24"}
    process = project.start(*arguments, stdout=below, stderr=below)
    os.close(below)
    parts = []
    while True:
        try:
            part = os.read(above, 65_536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(above)
    try:
        process.wait(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return b"".join(parts).decode(), process.returncode
