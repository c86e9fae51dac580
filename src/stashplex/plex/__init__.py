"""Layer 3, speak: HTTP answers of Plex to items, plans to edit parameters."""
