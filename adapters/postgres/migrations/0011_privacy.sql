-- The keys of personal data (docs/adr/0013): what is personal in a lead's events and attachments is
-- sealed with the lead's own key, and that is wrapped by a master key which no database holds.
CREATE SCHEMA privacy;
GRANT USAGE ON SCHEMA privacy TO leadlog_writer, leadlog_projector;

-- wrapped = id of the master key (8 bytes), nonce (12), the key as AES-256-GCM wraps it (48).
CREATE TABLE privacy.keys (
  stream  uuid  PRIMARY KEY,
  wrapped bytea NOT NULL
);
GRANT SELECT, INSERT ON privacy.keys TO leadlog_writer;
GRANT SELECT ON privacy.keys TO leadlog_projector;

-- What an erasure destroyed, beside the event that records it.
CREATE TABLE privacy.erasures (
  "position"  bigint      PRIMARY KEY,
  stream      uuid        NOT NULL,
  erased_at   timestamptz NOT NULL,
  keys        int         NOT NULL,
  marks       int         NOT NULL,
  attachments int         NOT NULL
);
CREATE INDEX erasures_stream_idx ON privacy.erasures (stream);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON privacy.erasures
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
GRANT SELECT ON privacy.erasures TO leadlog_writer, leadlog_projector;

-- Leads whose key was lost: something of them is sealed, and they were not erased.
CREATE VIEW audit.lost_keys AS
SELECT DISTINCT e.originator_id AS stream FROM log.leadlog_events e
WHERE NOT EXISTS (SELECT FROM privacy.keys k WHERE k.stream = e.originator_id)
  AND NOT EXISTS (SELECT FROM privacy.erasures x WHERE x.stream = e.originator_id)
  AND position('"sealed":'::bytea IN e.state) > 0;
COMMENT ON VIEW audit.lost_keys IS 'Leads that hold something sealed, whose key is neither there nor was destroyed by an erasure.';
GRANT SELECT ON audit.lost_keys TO leadlog_auditor;

-- Whether a lead had a key: something of it is sealed, or it was erased. A second key would make what
-- is sealed unreadable for ever, a lost one can be brought back from a backup.
CREATE FUNCTION privacy.had_key(lead uuid) RETURNS boolean LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$ -- as log.append, and for its reason
BEGIN
  RETURN EXISTS (SELECT FROM privacy.erasures e WHERE e.stream = lead)
      OR EXISTS (SELECT FROM log.leadlog_events e
                 WHERE e.originator_id = lead AND position('"sealed":'::bytea IN e.state) > 0);
END $$;
-- A key for a lead that has had none, where that is made without an event: an upload's. An append of
-- the same lead that makes one meanwhile is a conflict.
CREATE FUNCTION privacy.make_key(lead uuid, new_key bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM log.lock_for_append();
  INSERT INTO privacy.keys (stream, wrapped)
  SELECT lead, new_key WHERE NOT privacy.had_key(lead) ON CONFLICT DO NOTHING;
END $$;
REVOKE EXECUTE ON FUNCTION privacy.had_key, privacy.make_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION privacy.had_key, privacy.make_key TO leadlog_writer;

-- What an erasure deletes leaves the files soon: after one row already, in each table that it deletes
-- from.
ALTER TABLE privacy.keys SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1);
ALTER TABLE log.marks SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1);
ALTER TABLE log.attachments SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1);

CREATE INDEX marks_stream_idx ON log.marks (stream);

-- An erasure deletes the chunks of attachments; nobody is granted that.
DROP TRIGGER append_only ON log.attachments;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON log.attachments
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();

-- Destroy what a lead's personal values can be read or recognised by. Only for an erasure that is
-- recorded at that position of the log.
CREATE FUNCTION privacy.forget(lead uuid, at bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  recorded timestamptz;
  gone_keys int;
  gone_marks int;
  gone_attachments int;
BEGIN
  SELECT e.recorded_at INTO recorded FROM log.leadlog_events e
    WHERE e.notification_id = at AND e.originator_id = lead AND e.topic = 'lead.personal-data-erased';
  IF recorded IS NULL THEN
    RAISE EXCEPTION 'no erasure of % is recorded at position %', lead, at;
  END IF;
  DELETE FROM privacy.keys k WHERE k.stream = lead;
  GET DIAGNOSTICS gone_keys = ROW_COUNT;
  DELETE FROM log.marks m WHERE m.stream = lead;
  GET DIAGNOSTICS gone_marks = ROW_COUNT;
  WITH gone AS (
    DELETE FROM log.attachments a WHERE a.attachment = ANY (ARRAY(
      SELECT (convert_from(e.state, 'UTF8')::jsonb ->> 'attachment')::uuid
      FROM log.leadlog_events e WHERE e.originator_id = lead AND e.topic = 'lead.attachment-added'))
    RETURNING a.attachment)
  SELECT count(DISTINCT attachment) INTO gone_attachments FROM gone;
  INSERT INTO privacy.erasures (position, stream, erased_at, keys, marks, attachments)
  VALUES (at, lead, recorded, gone_keys, gone_marks, gone_attachments);
END $$;
REVOKE EXECUTE ON FUNCTION privacy.forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION privacy.forget TO leadlog_writer;

DROP FUNCTION log.append;

-- Append many commands' events in one round trip and one transaction.
-- Per command i: commands[i], fingerprints[i]. Per event: owner (its command's i), stream, version,
-- topic, state, in order; a topic that is null = nothing happened, the version is what would have
-- come next. Per claim: claimant (its command's i), mark, and up to which position its holders were
-- known. No two commands of one call share a mark, nor a stream if one of them has several.
-- A command whose id is in the ledger is repeated (same fingerprint) or reused (another one). One
-- that does not stand right behind its streams' last events, or whose mark somebody has claimed
-- since, is a conflict. The rest are appended; position and stamp are null where nothing happened.
-- Per new key of a stream: keeper (its command's i), stream, the wrapped key; where the stream has, or
-- had, a key by now, that is a conflict, too. What is appended as an erasure destroys its stream's key in
-- the same transaction.
CREATE FUNCTION log.append(
  commands uuid[], fingerprints bytea[],
  owners int[], streams uuid[], versions bigint[], topics text[], states bytea[],
  simulated_now timestamptz DEFAULT NULL,
  claimants int[] DEFAULT '{}', claims bytea[] DEFAULT '{}', known bigint[] DEFAULT '{}',
  keepers int[] DEFAULT '{}', keyed uuid[] DEFAULT '{}', keys bytea[] DEFAULT '{}'
) RETURNS TABLE (command int, outcome text, "position" bigint, stamp timestamptz)
LANGUAGE plpgsql
-- A plan made while the log was empty may read it whole, and is kept until the next ANALYZE.
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
  head bigint;
  now_ timestamptz;
  seen uuid[];
  conflicts int[] := '{}';
BEGIN
  PERFORM log.lock_for_append();
  SELECT h.position, h.stamp INTO head, now_ FROM log.head(simulated_now) h;
  seen := ARRAY(SELECT l.command_id FROM log.ledger l WHERE l.command_id = ANY (commands));
  IF cardinality(claims) > 0 THEN
    conflicts := ARRAY(
      SELECT c.owner FROM unnest(claimants, claims, known) AS c (owner, mark, position)
      WHERE EXISTS (SELECT FROM log.marks m WHERE m.mark = c.mark AND m.position > c.position));
  END IF;
  IF cardinality(keyed) > 0 THEN
    conflicts := conflicts || ARRAY(
      SELECT k.owner FROM unnest(keepers, keyed) AS k (owner, stream)
      WHERE EXISTS (SELECT FROM privacy.keys x WHERE x.stream = k.stream) OR privacy.had_key(k.stream));
  END IF;
  conflicts := conflicts || ARRAY(
    SELECT e.owner FROM (
      SELECT e.owner, e.stream, e.version - row_number() OVER (PARTITION BY e.stream ORDER BY e.nr) AS before
      FROM unnest(owners, streams, versions) WITH ORDINALITY AS e (owner, stream, version, nr)
      WHERE NOT (e.owner = ANY (conflicts) OR commands[e.owner] = ANY (seen))) e
    LEFT JOIN LATERAL (
      SELECT x.originator_version AS version FROM log.leadlog_events x
      WHERE x.originator_id = e.stream ORDER BY x.originator_version DESC LIMIT 1) last ON true
    -- Other applications of the library may count from 0.
    WHERE e.before <> coalesce(last.version, CASE e.before WHEN -1 THEN -1 ELSE 0 END));
  RETURN QUERY
  WITH accepted AS MATERIALIZED (
    SELECT e.owner, e.stream, e.version, e.topic, e.state, e.nr
    FROM unnest(owners, streams, versions, topics, states)
      WITH ORDINALITY AS e (owner, stream, version, topic, state, nr)
    WHERE NOT (e.owner = ANY (conflicts) OR commands[e.owner] = ANY (seen))
  ), placed AS MATERIALIZED (
    SELECT a.*, head + row_number() OVER (ORDER BY a.nr) AS pos FROM accepted a WHERE a.topic IS NOT NULL
  ), stored AS (
    INSERT INTO log.leadlog_events
      (originator_id, originator_version, topic, state, notification_id, recorded_at)
    SELECT p.stream, p.version, p.topic, p.state, p.pos, now_ FROM placed p
  ), done AS (
    SELECT p.owner, max(p.pos) AS pos, true AS effect FROM placed p GROUP BY p.owner
    UNION ALL
    SELECT a.owner, x.notification_id, false FROM accepted a
    JOIN log.leadlog_events x ON x.originator_id = a.stream AND x.originator_version = a.version - 1
    WHERE a.topic IS NULL
  ), noted AS (
    INSERT INTO log.ledger (command_id, fingerprint, position, effect)
    SELECT commands[d.owner], fingerprints[d.owner], d.pos, d.effect FROM done d
  )
  SELECT d.owner, 'appended', CASE WHEN d.effect THEN d.pos END, CASE WHEN d.effect THEN now_ END
  FROM done d
  UNION ALL
  SELECT c.nr::int,
         CASE WHEN l.command_id IS NULL THEN 'conflict'
              WHEN l.fingerprint = fingerprints[c.nr] THEN 'repeated' ELSE 'reused' END,
         l.position, NULL
  FROM unnest(commands) WITH ORDINALITY AS c (id, nr)
  LEFT JOIN log.ledger l ON l.command_id = c.id
  WHERE c.id = ANY (seen) OR c.nr = ANY (conflicts);
  IF cardinality(claims) > 0 THEN
    INSERT INTO log.marks (mark, stream, position)
    SELECT c.mark, e.originator_id, l.position
    FROM unnest(claimants, claims) AS c (owner, mark)
    JOIN log.ledger l ON l.command_id = commands[c.owner] AND l.position > head
    JOIN log.leadlog_events e ON e.notification_id = l.position;
  END IF;
  IF cardinality(keyed) > 0 THEN
    INSERT INTO privacy.keys (stream, wrapped)
    SELECT k.stream, k.wrapped FROM unnest(keepers, keyed, keys) AS k (owner, stream, wrapped)
    JOIN log.ledger l ON l.command_id = commands[k.owner] AND l.position > head;
  END IF;
  IF 'lead.personal-data-erased' = ANY (topics) THEN
    PERFORM privacy.forget(e.originator_id, e.notification_id) FROM log.leadlog_events e
    WHERE e.notification_id > head AND e.topic = 'lead.personal-data-erased';
  END IF;
  NOTIFY leadlog_events;
END $$;
