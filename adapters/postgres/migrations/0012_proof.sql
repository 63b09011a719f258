-- The log as a Merkle tree (docs/reference/proof.md): hashes as tiles, signed checkpoints, the public
-- keys that verify them. Built behind the commits by a role of its own, never within them.
DO $$
BEGIN
  BEGIN
    CREATE ROLE leadlog_sealer NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
  END;
  IF NOT pg_has_role(current_user, 'leadlog_sealer', 'MEMBER') THEN
    GRANT leadlog_sealer TO CURRENT_USER;
  END IF;
END $$;

-- What this log is called in its checkpoints and keys, forever.
INSERT INTO log.company (name, value)
VALUES ('origin', 'leadlog.' || replace(gen_random_uuid()::text, '-', ''));

-- The leaf of an event: everything that its row holds, in one layout. An event at position n is leaf n - 1.
CREATE FUNCTION audit.leaf(e log.leadlog_events) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT int8send(e.notification_id) || uuid_send(e.originator_id) || int8send(e.originator_version)
         || int8send((extract(epoch FROM e.recorded_at) * 1000000)::bigint)
         || int4send(octet_length(e.topic)) || convert_to(e.topic, 'UTF8') || e.state
$$;

-- 256 hashes to a row. Level 0 has the hashes of leaves, level n those of the subtrees over 256^n of
-- them; only the last row of a level may have fewer, and grows.
CREATE TABLE audit.tiles (
  level   smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
  index   bigint   NOT NULL CHECK (index >= 0),
  hashes  bytea    NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
  PRIMARY KEY (level, index)
);
ALTER TABLE audit.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress

CREATE TABLE audit.checkpoints (
  number    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  size      bigint      NOT NULL CHECK (size > 0),
  root      bytea       NOT NULL CHECK (octet_length(root) = 32),
  note      text        NOT NULL,
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX checkpoints_size ON audit.checkpoints (size, number);

CREATE TABLE audit.signing_keys (
  number   int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  verifier text        NOT NULL UNIQUE,
  since    timestamptz NOT NULL DEFAULT clock_timestamp(),
  until    timestamptz
);
CREATE UNIQUE INDEX signing_keys_one_current ON audit.signing_keys ((true)) WHERE until IS NULL;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
CREATE TRIGGER never_less BEFORE DELETE OR TRUNCATE ON audit.tiles
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
CREATE TRIGGER never_less BEFORE DELETE OR TRUNCATE ON audit.signing_keys
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();

CREATE FUNCTION audit.refuse_other_hashes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.level <> OLD.level OR NEW.index <> OLD.index
     OR substring(NEW.hashes FOR octet_length(OLD.hashes)) <> OLD.hashes THEN
    RAISE EXCEPTION 'audit.tiles only grows: a hash that is there stays'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE ON audit.tiles
  FOR EACH ROW EXECUTE FUNCTION audit.refuse_other_hashes();

CREATE FUNCTION audit.refuse_other_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.number <> OLD.number OR NEW.verifier <> OLD.verifier OR NEW.since <> OLD.since
     OR OLD.until IS NOT NULL THEN
    RAISE EXCEPTION 'a signing key only ends, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER only_ends BEFORE UPDATE ON audit.signing_keys
  FOR EACH ROW EXECUTE FUNCTION audit.refuse_other_keys();

-- One sealer at a time, until its transaction ends.
CREATE FUNCTION audit.lock_for_sealing() RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(7220506)
$$;

COMMENT ON FUNCTION audit.leaf IS 'The bytes of an event that its leaf hash covers.';
COMMENT ON TABLE audit.tiles IS 'The hashes of the Merkle tree, 256 to a row.';
COMMENT ON TABLE audit.checkpoints IS 'Signed notes: the tree''s size and root, one after another.';
COMMENT ON TABLE audit.signing_keys IS 'Public keys of checkpoints, and for how long each was in use.';
GRANT USAGE ON SCHEMA log, audit TO leadlog_sealer;
GRANT SELECT ON log.leadlog_events, log.company TO leadlog_sealer;
GRANT SELECT, INSERT, UPDATE ON audit.tiles, audit.signing_keys TO leadlog_sealer;
GRANT SELECT, INSERT ON audit.checkpoints TO leadlog_sealer;
GRANT SELECT ON audit.tiles, audit.checkpoints, audit.signing_keys TO leadlog_auditor;
