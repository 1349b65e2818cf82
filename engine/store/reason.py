"""Why a server cannot be used, in plain words for those who do not know its driver; pure."""

from __future__ import annotations

import socket
import ssl
from typing import Final

#: What the operating system says, in plain words; the first kind that fits.
_PLAIN: Final[tuple[tuple[type[OSError], str], ...]] = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectionError, "the connection was closed"),
    (socket.gaierror, "unknown host"),
    (TimeoutError, "no answer in time"),
    (FileNotFoundError, "there is no such file"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted here"),
)

#: Beginnings of what the driver says by itself, where no call of the operating system has failed.
_DRIVERS: Final = {
    "Connection closed by server": "the connection was closed",
    "Timeout": "no answer in time",
}


def why_unreached(error: Exception) -> str:
    """Why a server was not reached, without its address."""
    text = str(error).strip().rstrip(".")
    known = next((words for begin, words in _DRIVERS.items() if text.startswith(begin)), None)
    if known is not None:
        return known
    cause = _system_error(error)
    if cause is None:
        return text or type(error).__name__
    plain = next((words for kind, words in _PLAIN if isinstance(cause, kind)), None)
    if plain is not None:
        return plain
    if isinstance(cause, ssl.SSLError):
        return f"TLS does not come about ({cause.reason or cause})"
    return (cause.strerror or str(cause)).lower()


def why_refused(text: str) -> str:
    """Why a server refused a user, from what it answered."""
    if "required" in text:
        return "it wants a password; set redis.password, or put it into the URL"
    if "without any password" in text or "no password is set" in text:
        return "a password was given, but it has none"
    return "wrong user name or password"


def _system_error(error: BaseException | None) -> OSError | None:
    """What the operating system raised, which the driver has wrapped in an error of its own."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
