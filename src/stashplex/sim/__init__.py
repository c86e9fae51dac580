"""Layer 6, start: the two simulated servers and the films that they serve."""
