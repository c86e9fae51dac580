"""Layer 3, speak: everything durable. The only package that speaks SQL."""
