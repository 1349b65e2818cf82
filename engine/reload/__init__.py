"""Changing what a worker serves while it runs: saved files become versions in force."""
