"""Read models: one file per question with its tables, its fold and its queries."""
