-- Addresses that are told what happens, and how far each is: everything up to `position` is
-- delivered, given up or not wanted there. `secret` is the number of the one in use; the secrets
-- themselves are derived from the ledger key and stored nowhere. The columns from `attempts` to
-- `error` are about the event behind `position`. Who changed one is in the log.
CREATE TABLE outbox.webhooks (
  id               uuid        PRIMARY KEY,
  url              text        NOT NULL,
  description      text        NOT NULL,
  topics           text[]      NOT NULL,
  secret           int         NOT NULL DEFAULT 1 CHECK (secret > 0),
  old_secret_until timestamptz,
  position         bigint      NOT NULL CHECK (position >= 0),
  replay_upto      bigint      NOT NULL DEFAULT 0,
  disabled         text,
  attempts         int         NOT NULL DEFAULT 0,
  failing_since    timestamptz,
  next_try         timestamptz,
  error            text,
  refusals         int         NOT NULL DEFAULT 0,
  delivered_at     timestamptz,
  created_at       timestamptz NOT NULL DEFAULT now(),
  created_by       text        NOT NULL,
  changed_at       timestamptz NOT NULL DEFAULT now(),
  changed_by       text        NOT NULL
);

-- Events that were given up there; `retried` = to be sent once more.
CREATE TABLE outbox.dead_webhook_messages (
  webhook  uuid        NOT NULL REFERENCES outbox.webhooks ON DELETE CASCADE,
  position bigint      NOT NULL,
  topic    text        NOT NULL,
  error    text        NOT NULL,
  attempts int         NOT NULL,
  at       timestamptz NOT NULL DEFAULT now(),
  retried  boolean     NOT NULL DEFAULT false,
  PRIMARY KEY (webhook, position)
);
CREATE INDEX dead_webhook_messages_retried ON outbox.dead_webhook_messages (webhook, position)
  WHERE retried;

GRANT USAGE ON SCHEMA outbox TO leadlog_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.webhooks, outbox.dead_webhook_messages
  TO leadlog_writer;
