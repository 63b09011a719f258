-- What /health/ready and /metrics tell of: how far the log is sealed, which schema this is, and how
-- webhooks fare.
GRANT USAGE ON SCHEMA audit, leadlog_meta TO leadlog_projector;
GRANT SELECT (number, size) ON audit.checkpoints TO leadlog_projector;
GRANT SELECT (name) ON leadlog_meta.migrations TO leadlog_projector;
GRANT SELECT (failing_since, disabled) ON outbox.webhooks TO leadlog_projector;
