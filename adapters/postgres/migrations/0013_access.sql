-- When a token was used last (written at most once a minute), and who made it.
ALTER TABLE access.tokens ADD COLUMN last_used_at timestamptz, ADD COLUMN created_by text;

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
