"""Layer 6, start: the commands that people type."""
