"""What the running service shows to other programs over HTTP: a small JSON API, its guard, and its server."""
