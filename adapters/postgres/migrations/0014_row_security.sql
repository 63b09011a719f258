-- Leads within a person's scope, for people with a login of the database's own (docs/adr/0016).

-- Made like the roles of 0001: no login of its own, granted to people's logins.
DO $$
BEGIN
  BEGIN
    CREATE ROLE leadlog_member NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
  END;
  IF NOT pg_has_role(current_user, 'leadlog_member', 'MEMBER') THEN
    GRANT leadlog_member TO CURRENT_USER;
  END IF;
END $$;

-- Who somebody is that connects to the database. The rows stay, so it can be told who could read
-- what at any time. The service has no right to them: only who administers the database.
CREATE TABLE access.logins (
  login    name        NOT NULL,
  person   text        NOT NULL,
  given_at timestamptz NOT NULL DEFAULT now(),
  given_by text        NOT NULL,
  ended_at timestamptz,
  ended_by text,
  CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX logins_one_person ON access.logins (login) WHERE ended_at IS NULL;
COMMENT ON TABLE access.logins IS 'Which person a login of the database is, from when to when.';
GRANT USAGE ON SCHEMA access TO leadlog_projector;
GRANT SELECT ON access.logins TO leadlog_projector;

-- What members read, and what cuts it, which nobody but its owner can enter. All of it belongs to
-- the projector: nothing in it acts with more rights than the read models have.
CREATE SCHEMA member AUTHORIZATION leadlog_projector;
CREATE SCHEMA scope AUTHORIZATION leadlog_projector;
SET LOCAL ROLE leadlog_projector;
COMMENT ON SCHEMA member IS 'The views of schema report, with the leads in the scope of whoever asks.';
GRANT USAGE ON SCHEMA member TO leadlog_member;

-- The directory as the log has it now, not as a worker has got to: who was deactivated a moment
-- ago sees nothing. The same fold as aggregates/directory/state.py; a test compares the two.
CREATE VIEW scope.changes AS
SELECT e.notification_id AS position, e.topic, s.data ->> 'name' AS name,
       s.data ->> 'role' AS role, s.data ->> 'team' AS team, s.data ->> 'supervisor' AS supervisor
FROM log.leadlog_events e, LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS data OFFSET 0) s
WHERE (e.topic LIKE 'directory.%' OR e.topic LIKE 'policy.%')  -- leadlog_events_register_idx
  AND e.topic IN ('directory.person-added', 'directory.role-changed',
                  'directory.person-team-changed', 'directory.person-deactivated',
                  'directory.person-reactivated', 'directory.supervisor-set');

CREATE VIEW scope.people AS
SELECT c.name,
  (array_agg(c.role ORDER BY c.position DESC) FILTER (
    WHERE c.topic = 'directory.role-changed'
       OR c.topic = 'directory.person-added' AND c.role <> ''))[1] AS role,
  (array_agg(c.team ORDER BY c.position DESC) FILTER (
    WHERE c.topic = 'directory.person-team-changed'
       OR c.topic = 'directory.person-added' AND c.team <> ''))[1] AS team,
  coalesce((array_agg(c.topic = 'directory.person-reactivated' ORDER BY c.position DESC) FILTER (
    WHERE c.topic IN ('directory.person-deactivated', 'directory.person-reactivated')))[1], true)
    AS active
FROM scope.changes c WHERE c.topic <> 'directory.supervisor-set' GROUP BY c.name;

CREATE VIEW scope.teams AS
SELECT DISTINCT ON (c.name) c.name, c.supervisor
FROM scope.changes c WHERE c.topic = 'directory.supervisor-set' ORDER BY c.name, c.position DESC;

-- The scope of a login: aggregates/directory/scope.py, scope_of. No row: it sees nothing, be it that
-- nobody has said who it is, that they have left, or that their role reads no leads.
CREATE FUNCTION scope.of_login(name)
RETURNS TABLE (person text, everything boolean, unowned boolean, owners text[], teams text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH people AS MATERIALIZED (SELECT p.* FROM scope.people p),
  me AS (
    SELECT p.name, p.role, ARRAY(
      SELECT t.name FROM scope.teams t WHERE t.supervisor = p.name
      UNION SELECT p.team WHERE p.team <> '') AS led
    FROM access.logins l JOIN people p ON p.name = l.person
    WHERE l.login = $1 AND l.ended_at IS NULL AND p.active
      AND p.role IN ('sales', 'supervisor', 'marketing', 'admin', 'auditor'))
  SELECT me.name, me.role IN ('admin', 'auditor'), me.role IN ('supervisor', 'marketing'),
    CASE me.role
      WHEN 'sales' THEN ARRAY[me.name]
      WHEN 'supervisor' THEN
        ARRAY(SELECT p.name FROM people p WHERE p.team = ANY (me.led)) || me.name
      ELSE '{}' END,
    CASE me.role WHEN 'supervisor' THEN me.led ELSE '{}' END
  FROM me
$$;

-- The leads that a login sees: Scope.sees, as a union of what has an index each. scope.places is
-- what decides, over the live read model of leads; every swap of that makes it anew.
CREATE FUNCTION scope.lead_ids(name) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE me record;
BEGIN
  SELECT * INTO me FROM scope.of_login($1);
  IF NOT FOUND THEN
    RETURN;
  ELSIF me.everything THEN
    RETURN QUERY SELECT l.lead FROM scope.places l;
  ELSE
    RETURN QUERY
    SELECT l.lead FROM scope.places l WHERE l.owner = ANY (me.owners)
    UNION
    SELECT l.lead FROM scope.places l WHERE l.owner IS NOT NULL AND l.team = ANY (me.teams)
    UNION
    SELECT l.lead FROM scope.places l
    WHERE cardinality(l.shared_with) > 0 AND l.shared_with @> ARRAY[me.person] AND l.pool IS NULL
    UNION
    SELECT l.lead FROM scope.places l
    WHERE l.owner IS NULL AND l.pool IS NULL AND l.entered_by = me.person
    UNION
    SELECT l.lead FROM scope.places l WHERE l.owner IS NULL AND l.pool IS NULL AND me.unowned;
  END IF;
END $$;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA scope FROM PUBLIC;
RESET ROLE;

-- Functions are everybody's until that is taken back, and whoever enters a schema can call them.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA log, audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log.append, log.head, log.lock_for_append, log.take_codes TO leadlog_writer;
GRANT EXECUTE ON FUNCTION audit.leaf, audit.lock_for_sealing TO leadlog_sealer;
GRANT EXECUTE ON FUNCTION audit.leaf TO leadlog_auditor;
-- What acts with its owner's rights looks last where its caller may have put things.
ALTER FUNCTION projection.make_schema SET search_path = pg_catalog, pg_temp;

-- Databases that come from PostgreSQL 14 let everybody make objects in schema public.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public') THEN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
  END IF;
END $$;

-- Sealed values are of no use to whoever reads SQL: that there are some is told, not the ciphertext.
CREATE OR REPLACE VIEW audit.events AS
SELECT e.notification_id                       AS position,
       e.originator_id                         AS stream,
       e.originator_version                    AS version,
       e.topic,
       (s.data ->> 'occurred_at')::timestamptz AS occurred_at,
       e.recorded_at,
       s.data -> 'meta' ->> 'actor'            AS actor,
       s.data - '{meta,occurred_at,sealed}'::text[] AS data,
       s.data -> 'meta'                        AS meta,
       s.data ? 'sealed'                       AS personal
FROM log.leadlog_events e, LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS data OFFSET 0) s;
COMMENT ON COLUMN audit.events.data IS 'What the event says in clear.';
COMMENT ON COLUMN audit.events.personal IS 'Whether it has personal values, which are sealed.';
