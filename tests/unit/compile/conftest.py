"""A test's docstring as the file that it is about."""

from __future__ import annotations

import textwrap

import pytest


@pytest.fixture
def source(request: pytest.FixtureRequest) -> str:
    """The text in the test's docstring, without its indentation."""
    return textwrap.dedent(request.function.__doc__).lstrip("\n")
