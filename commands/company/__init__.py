"""Commands on the company itself, one file per concept: people, teams, lists, policies."""
