"""The plans that this process runs."""
