-- When a token was used last (written at most once a minute), and who made it.
ALTER TABLE access.tokens ADD COLUMN last_used_at timestamptz, ADD COLUMN created_by text;

-- A name may be used again once its token has ended; the one before stays on record.
ALTER TABLE access.tokens DROP CONSTRAINT tokens_person_name_key;
CREATE UNIQUE INDEX tokens_person_name_key ON access.tokens (person, name)
  WHERE revoked_at IS NULL;
CREATE INDEX tokens_person ON access.tokens (person, name, created_at);

-- Sessions of the page in a browser: what a cookie stands for. Only hashes of cookies are stored
-- (SHA-256 of 256 random bits). A session that a token opened lives no longer than that token.
CREATE TABLE access.sessions (
  hash         bytea       PRIMARY KEY,
  person       text        NOT NULL,
  role         text        NOT NULL,
  token        bytea,
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  last_used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_person ON access.sessions (person, created_at);
CREATE INDEX sessions_expires_at ON access.sessions (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON access.sessions TO leadlog_writer;
