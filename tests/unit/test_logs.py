"""The shape of log lines, and who is heard."""

from __future__ import annotations

import logging
import re

import pytest

from engine.logs import TextFormatter, configure_logs


@pytest.fixture(autouse=True)
def _as_it_was():
    """Loggers are global: each test leaves them as it found them."""
    loggers = [logging.getLogger(name) for name in (None, "engine", "dramatiq", "redis")]
    levels = [logger.level for logger in loggers]
    handlers = logging.getLogger().handlers[:]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.getLogger().handlers[:] = handlers


def test_a_line_has_time_level_part_and_message(capsys):
    configure_logs()

    logging.getLogger("engine.worker.leases").warning("lost %s", "r1/a#1")

    line = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING worker\.leases: lost r1/a#1\n", line)


def test_times_are_utc():
    record = logging.makeLogRecord({"name": "engine", "levelname": "INFO", "msg": "x"})
    record.created, record.msecs = 0.0, 7.0

    assert TextFormatter().format(record) == "1970-01-01T00:00:00.007Z INFO engine: x"


def test_a_traceback_follows_its_line(capsys):
    configure_logs()

    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("engine.cli").exception("it broke")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("ERROR cli: it broke")
    assert lines[-1] == "ValueError: bad"


def test_dramatiq_and_redis_are_heard_from_warning_on(capsys):
    configure_logs()

    for name in ("dramatiq.worker.Worker", "redis.connection", "some.library"):
        logging.getLogger(name).info("not heard")
        logging.getLogger(name).warning("heard")
    logging.getLogger("engine.worker").info("heard")

    assert [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()] == ["heard"] * 4


def test_a_second_call_replaces_the_first(capsys):
    configure_logs()
    configure_logs(logging.WARNING)

    logging.getLogger("engine.worker").info("not heard")
    logging.getLogger("engine.worker").warning("once")

    assert capsys.readouterr().err.count("once") == 1
    assert sum(isinstance(one.formatter, TextFormatter) for one in logging.getLogger().handlers) == 1


def test_nothing_goes_to_standard_output(capsys):
    configure_logs()

    logging.getLogger("engine").error("x")

    assert capsys.readouterr().out == ""
