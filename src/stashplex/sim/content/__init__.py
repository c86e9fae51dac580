"""The films, files and pictures that both simulated servers serve."""
