-- Messages that were tried in vain: how often, and when they may be again. No truth: what became of
-- a message the log says, and what is lost here is tried as if for the first time.
CREATE SCHEMA outbox;
CREATE TABLE outbox.attempts (
  notification uuid        NOT NULL,
  channel      text        NOT NULL,
  attempts     int         NOT NULL CHECK (attempts > 0),
  next_try     timestamptz NOT NULL,
  PRIMARY KEY (notification, channel)
);
CREATE INDEX attempts_next_try ON outbox.attempts (next_try);
GRANT USAGE ON SCHEMA outbox TO leadlog_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.attempts TO leadlog_projector;
