"""Asking for things: starting runs, putting versions in force."""
