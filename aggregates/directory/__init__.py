"""People and teams. Their name is their identity: one stream per name."""
