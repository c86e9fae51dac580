"""Layer 2, think: pure functions on frozen values. No I/O, no clock, no logging."""
