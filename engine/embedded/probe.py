"""The few words spoken to the embedded server, over a plain socket: it says at once that nobody listens."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Literal

#: How long an answer may take.
_ANSWER_S = 2.0


def server_state(path: Path, folder: Path) -> Literal["ours", "loading", "silent"]:
    """Say who answers on a socket.

    Args:
        path: The socket.
        folder: The resolved directory that a server of ours works in.

    Returns:
        `ours`: a server that works in this very folder; `loading`: a server that reads
        its data and will answer; `silent`: nobody, or somebody else's server.
    """
    try:
        with _connect(path) as connection, connection.makefile("rwb") as stream:
            stream.write(b"PING\r\n")
            stream.flush()
            answer = stream.readline()
            if answer.startswith(b"-LOADING"):
                return "loading"
            if answer != b"+PONG\r\n":
                return "silent"
            stream.write(b"CONFIG GET dir\r\n")
            stream.flush()
            # An array of two bulk strings: *2, $3, dir, $<length>, <path>.
            lines = [stream.readline() for _ in range(5)]
    except OSError:
        return "silent"
    return "ours" if os.fsdecode(lines[4].removesuffix(b"\r\n")) == str(folder) else "silent"


def ask_for_shutdown(path: Path) -> None:
    """Ask a server to write what it has to its append-only file and to end; does not wait for it."""
    try:
        with _connect(path) as connection:
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            connection.recv(1)
    except OSError:
        # Nobody is there, or it ended before it could answer: both are what was asked for.
        return


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_ANSWER_S)
        connection.connect(os.fsencode(path))
    except BaseException:
        connection.close()
        raise
    return connection
