"""Who has read a lead's history: what an auditor looks at is on record, too."""
