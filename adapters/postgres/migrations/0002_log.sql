-- The event log: the only truth. Column names are those of eventsourcing's
-- PostgresApplicationRecorder, so that a stock Application reads it; recorded_at is ours.
CREATE SCHEMA log;

CREATE TABLE log.leadlog_events (
  originator_id      uuid        NOT NULL,
  originator_version bigint      NOT NULL,
  topic              text        NOT NULL,
  state              bytea       NOT NULL,
  notification_id    bigint      NOT NULL,
  recorded_at        timestamptz NOT NULL,
  PRIMARY KEY (originator_id, originator_version)
) WITH (
  -- Rows are never updated: vacuum only has to freeze, statistics have to follow the growth.
  autovacuum_vacuum_threshold = 100000000,
  autovacuum_analyze_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.01
);
CREATE UNIQUE INDEX leadlog_events_notification_id_idx ON log.leadlog_events (notification_id);
-- "Up to which position was it known at this instant" (recorded_at never decreases along positions).
CREATE INDEX leadlog_events_recorded_at_idx ON log.leadlog_events USING brin (recorded_at);

CREATE TYPE log.stored_event_uuid AS (
  originator_id uuid, originator_version bigint, topic text, state bytea
);

-- What became of a command id: its position names the last event it caused (decisions: no bodies).
CREATE TABLE log.ledger (
  command_id  uuid   PRIMARY KEY,
  fingerprint bytea  NOT NULL,
  position    bigint NOT NULL
) WITH (autovacuum_vacuum_threshold = 100000000);

-- Facts of the database fixed once data exists: time zone, currency, clock.
CREATE TABLE log.company (
  name  text PRIMARY KEY,
  value text NOT NULL
);

-- The last number taken per code prefix and local day (R72, R82). Gaps are allowed, doubles are not.
CREATE TABLE log.codes (
  prefix text NOT NULL,
  day    date NOT NULL,
  last   int  NOT NULL,
  PRIMARY KEY (prefix, day)
);

-- Which rows of an imported source are in the log.
CREATE TABLE log.imports (
  source text          PRIMARY KEY,
  seqs   int8multirange NOT NULL
);

CREATE FUNCTION log.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.leadlog_events
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();

-- The one door into the log. Everything that appends takes this lock first, so positions follow
-- commit order and no reader that has seen position n can later meet one below it.
CREATE FUNCTION log.lock_for_append() RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(7220501)
$$;

-- The head of the log and the instant to stamp on what comes next (call under the lock).
-- simulated_now is for databases whose clock is simulated; recorded_at never goes back.
CREATE FUNCTION log.head(simulated_now timestamptz, OUT "position" bigint, OUT stamp timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
  IF simulated_now IS NOT NULL
     AND NOT EXISTS (SELECT FROM log.company WHERE name = 'clock' AND value = 'simulated') THEN
    RAISE EXCEPTION 'this database runs on real time: its clock cannot be set';
  END IF;
  SELECT e.notification_id, e.recorded_at INTO position, stamp
    FROM log.leadlog_events e ORDER BY e.notification_id DESC LIMIT 1;
  position := coalesce(position, 0);
  stamp := greatest(coalesce(simulated_now, clock_timestamp()), stamp);
END $$;

-- Append many commands' events in one round trip and one transaction.
-- Per command i: commands[i], fingerprints[i]. Per event: owner (its command's i), stream, version,
-- topic, state, in order. A command whose (stream, version) is taken is a conflict; one whose id is in the
-- ledger is repeated (same fingerprint) or reused (another one); the rest are appended.
CREATE FUNCTION log.append(
  commands uuid[], fingerprints bytea[],
  owners int[], streams uuid[], versions bigint[], topics text[], states bytea[],
  simulated_now timestamptz DEFAULT NULL
) RETURNS TABLE (command int, outcome text, "position" bigint, stamp timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  head bigint;
  now_ timestamptz;
  conflicts int[];
  seen uuid[];
BEGIN
  PERFORM log.lock_for_append();
  SELECT h.position, h.stamp INTO head, now_ FROM log.head(simulated_now) h;
  seen := ARRAY(SELECT l.command_id FROM log.ledger l WHERE l.command_id = ANY (commands));
  conflicts := ARRAY(
    SELECT DISTINCT e.owner FROM unnest(owners, streams, versions) AS e (owner, stream, version)
    JOIN log.leadlog_events x ON x.originator_id = e.stream AND x.originator_version = e.version);
  RETURN QUERY
  WITH placed AS MATERIALIZED (
    SELECT e.owner, e.stream, e.version, e.topic, e.state, head + row_number() OVER (ORDER BY e.nr) AS pos
    FROM unnest(owners, streams, versions, topics, states)
      WITH ORDINALITY AS e (owner, stream, version, topic, state, nr)
    WHERE NOT (e.owner = ANY (conflicts) OR commands[e.owner] = ANY (seen))
  ), stored AS (
    INSERT INTO log.leadlog_events
      (originator_id, originator_version, topic, state, notification_id, recorded_at)
    SELECT p.stream, p.version, p.topic, p.state, p.pos, now_ FROM placed p
  ), last AS (
    SELECT p.owner, max(p.pos) AS pos FROM placed p GROUP BY p.owner
  ), noted AS (
    INSERT INTO log.ledger (command_id, fingerprint, position)
    SELECT commands[l.owner], fingerprints[l.owner], l.pos FROM last l
  )
  SELECT l.owner, 'appended', l.pos, now_ FROM last l
  UNION ALL
  SELECT c.nr::int,
         CASE WHEN l.command_id IS NULL THEN 'conflict'
              WHEN l.fingerprint = fingerprints[c.nr] THEN 'repeated' ELSE 'reused' END,
         l.position, NULL
  FROM unnest(commands) WITH ORDINALITY AS c (id, nr)
  LEFT JOIN log.ledger l ON l.command_id = c.id
  WHERE c.id = ANY (seen) OR c.nr = ANY (conflicts);
  NOTIFY leadlog_events;
END $$;

-- Take `amount` consecutive numbers for a prefix and day; returns the first.
CREATE FUNCTION log.take_codes(prefix text, day date, amount int) RETURNS int LANGUAGE sql AS $$
  INSERT INTO log.codes AS c (prefix, day, last) VALUES (prefix, day, amount)
  ON CONFLICT ON CONSTRAINT codes_pkey DO UPDATE SET last = c.last + excluded.last
  RETURNING last - amount + 1
$$;

GRANT USAGE ON SCHEMA log TO leadlog_writer, leadlog_projector, leadlog_auditor;
GRANT SELECT, INSERT ON log.leadlog_events, log.ledger TO leadlog_writer;
GRANT SELECT, INSERT, UPDATE ON log.codes, log.imports TO leadlog_writer;
GRANT SELECT ON log.company TO leadlog_writer, leadlog_projector, leadlog_auditor;
GRANT SELECT ON log.leadlog_events TO leadlog_projector, leadlog_auditor;
