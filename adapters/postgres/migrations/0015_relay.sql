-- How far the log has been copied to a topic of Kafka: every event up to the position is acknowledged by the
-- brokers. It is true of the one topic with that id: another one begins at the log's beginning.
CREATE SCHEMA relay;
CREATE TABLE relay.checkpoint (
  one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
  topic    uuid,
  position bigint      NOT NULL DEFAULT 0 CHECK (position >= 0),
  at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO relay.checkpoint DEFAULT VALUES;
COMMENT ON TABLE relay.checkpoint IS 'Up to which position the log is in the topic of Kafka, since when.';
GRANT USAGE ON SCHEMA relay TO leadlog_projector, leadlog_writer;
GRANT SELECT, UPDATE ON relay.checkpoint TO leadlog_projector;
GRANT SELECT ON relay.checkpoint TO leadlog_writer;
