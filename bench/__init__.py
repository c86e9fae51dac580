"""Benches: `python -m bench` measures against the simulated servers, `python bench/store.py` the store alone."""
