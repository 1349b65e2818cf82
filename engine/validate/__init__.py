"""Whether a declaration holds together: its graph, and its handlers in the source."""
