"""Layer 1, tools: errors, clock, transport, configuration, logging. Knows nothing of Stash or Plex."""
