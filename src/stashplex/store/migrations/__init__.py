"""Schema migrations; they only go forward."""
