-- Who may call the API. Only hashes of tokens are stored (SHA-256 of 256 random bits).
CREATE SCHEMA access;
CREATE TABLE access.tokens (
  hash       bytea       PRIMARY KEY,
  person     text        NOT NULL,
  role       text        NOT NULL,
  name       text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  UNIQUE (person, name)
);
GRANT USAGE ON SCHEMA access TO leadlog_writer;
GRANT SELECT, INSERT, UPDATE ON access.tokens TO leadlog_writer;
