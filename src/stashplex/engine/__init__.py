"""Layer 4, decide: what happens, and when."""
