"""Handlers are plain functions: give them a job and a stand-in for the context."""

from __future__ import annotations

import unittest
from unittest.mock import Mock

from engine import Job
from handlers import hello


def job(data: object) -> Job:
    """A job as a handler gets it, with the data of your choice."""
    return Job(id="run/step#1", data=data, event="", attempt=1)


class TestHello(unittest.TestCase):
    """What each step does with what it is given."""

    def test_start_wants_a_greeting_with_each_word(self) -> None:
        ctx = Mock()

        hello.start(job({"name": "Ada"}), ctx)

        emitted = [call.args for call in ctx.flow.emit.call_args_list]
        wanted = [("greeting.wanted", {"word": word, "name": "Ada"}) for word in hello.WORDS]
        self.assertEqual(emitted, wanted)

    def test_greet_makes_a_greeting(self) -> None:
        ctx = Mock()

        hello.greet(job({"word": "Hello", "name": "Ada"}), ctx)

        ctx.flow.emit.assert_called_once_with("greeting.made", "Hello, Ada!")

    def test_write_returns_all_greetings(self) -> None:
        result = hello.write(job(["Hello, Ada!", "Bonjour, Ada!"]), Mock())

        self.assertEqual(result, {"greetings": ["Hello, Ada!", "Bonjour, Ada!"]})
