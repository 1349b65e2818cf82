"""Where it is kept: keys, scripts, and what reads and writes them; the one door to Redis."""
