-- The log as an auditor reads it in SQL: one row per event, its facts as JSON.
CREATE SCHEMA audit;
CREATE VIEW audit.events AS
SELECT e.notification_id                                      AS position,
       e.originator_id                                        AS stream,
       e.originator_version                                   AS version,
       e.topic,
       (convert_from(e.state, 'UTF8')::jsonb ->> 'occurred_at')::timestamptz AS occurred_at,
       e.recorded_at,
       convert_from(e.state, 'UTF8')::jsonb -> 'meta' ->> 'actor' AS actor,
       convert_from(e.state, 'UTF8')::jsonb - 'meta' - 'occurred_at' AS data,
       convert_from(e.state, 'UTF8')::jsonb -> 'meta'         AS meta
FROM log.leadlog_events e;
COMMENT ON VIEW audit.events IS 'Every event of the log in order of position.';
COMMENT ON COLUMN audit.events.position IS 'Place in the log, 1..n without holes, in commit order.';
COMMENT ON COLUMN audit.events.stream IS 'The aggregate (lead, person, team) the event belongs to.';
COMMENT ON COLUMN audit.events.version IS 'Place in its stream, 1..n without holes.';
COMMENT ON COLUMN audit.events.occurred_at IS 'When it happened; null = the source did not know.';
COMMENT ON COLUMN audit.events.recorded_at IS 'When the database recorded it; never decreases along positions.';
COMMENT ON COLUMN audit.events.actor IS 'user:<name>, process:<name>, import:<source> or operator:<os user>.';
GRANT USAGE ON SCHEMA audit TO leadlog_auditor;
GRANT SELECT ON audit.events TO leadlog_auditor;
