"""Reviews: what a period shows, put before those responsible, and what they made of it."""
