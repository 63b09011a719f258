"""The event log, the read models' tables and their runner, on PostgreSQL 15 or newer."""
