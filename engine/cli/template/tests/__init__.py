"""Tests of the handlers: `python -m unittest`."""
