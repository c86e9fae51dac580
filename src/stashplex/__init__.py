"""stashplex keeps a Plex library in step with a Stash library."""
