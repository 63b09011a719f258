-- Channels through which leads come from outside. Only hashes of their keys are stored.
CREATE TABLE access.channels (
  name       text        PRIMARY KEY,
  hash       bytea       NOT NULL UNIQUE,
  source     text        NOT NULL,
  per_minute int         NOT NULL CHECK (per_minute > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);

-- When a body was first submitted, by a keyed hash of channel and body: the same one again shortly
-- after, without a name of its own, is the same submission.
CREATE TABLE access.submissions (
  digest bytea       PRIMARY KEY,
  at     timestamptz NOT NULL
);
CREATE INDEX submissions_at ON access.submissions (at);

GRANT SELECT, INSERT, UPDATE ON access.channels TO leadlog_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON access.submissions TO leadlog_writer;
