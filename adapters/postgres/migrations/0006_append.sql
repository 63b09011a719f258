-- Append conditions across streams (docs/adr/0009), commands that changed nothing, and a function
-- whose plans do not depend on what the planner thinks of an empty table.

-- Which stream claimed what: a mark is a keyed hash of something outside the stream (a phone number,
-- the claims of one person on one day), the position that of the claiming command's last event.
CREATE TABLE log.marks (
  mark       bytea  NOT NULL,
  stream     uuid   NOT NULL,
  "position" bigint NOT NULL,
  PRIMARY KEY (mark, "position")
) WITH (autovacuum_vacuum_threshold = 100000000);
GRANT SELECT, INSERT ON log.marks TO leadlog_writer;

-- False: the command changed nothing; position names the last event of its stream as decided upon.
ALTER TABLE log.ledger ADD COLUMN effect boolean NOT NULL DEFAULT true;

DROP FUNCTION log.append;

-- Append many commands' events in one round trip and one transaction.
-- Per command i: commands[i], fingerprints[i]. Per event: owner (its command's i), stream, version,
-- topic, state, in order; a topic that is null = nothing happened, the version is what would have
-- come next. Per claim: claimant (its command's i), mark, and up to which position its holders were
-- known. No two commands of one call share a mark, nor a stream if one of them has several.
-- A command whose id is in the ledger is repeated (same fingerprint) or reused (another one). One
-- that does not stand right behind its streams' last events, or whose mark somebody has claimed
-- since, is a conflict. The rest are appended; position and stamp are null where nothing happened.
CREATE FUNCTION log.append(
  commands uuid[], fingerprints bytea[],
  owners int[], streams uuid[], versions bigint[], topics text[], states bytea[],
  simulated_now timestamptz DEFAULT NULL,
  claimants int[] DEFAULT '{}', claims bytea[] DEFAULT '{}', known bigint[] DEFAULT '{}'
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
  NOTIFY leadlog_events;
END $$;
