"""A server of one's own: one per project, shared by its processes."""
