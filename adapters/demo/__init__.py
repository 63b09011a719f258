"""A simulated company: what a seeded plan says happens to its leads, through the real commands."""
