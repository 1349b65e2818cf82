"""A process that does steps; the one door to Dramatiq."""
