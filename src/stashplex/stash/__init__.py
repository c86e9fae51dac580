"""Layer 3, speak: GraphQL answers of Stash to scenes."""
