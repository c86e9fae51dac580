"""A simulated Stash server."""
