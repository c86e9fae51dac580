"""What the plugin for Stash ships: programs that stand alone and import nothing of stashplex."""
