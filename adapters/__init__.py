"""Everything that touches the world: PostgreSQL, files, processes, the command line."""
