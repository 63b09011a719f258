"""Statements by which a login of PostgreSQL may try to get at rows that it is not to see.

Where one is several statements, what the last one tells counts as much as the first.
"""

SEEING = (
    # Operators and functions of the attacker's own, cheap ones, see every row they are given.
    "CREATE FUNCTION pg_temp.spy(t anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS"
    " $$ BEGIN RAISE NOTICE '%', t; RETURN true; END $$;"
    " SELECT count(*) FROM member.leads l WHERE pg_temp.spy(l::text)",
    "CREATE FUNCTION pg_temp.like_spy(a text, b text) RETURNS bool LANGUAGE plpgsql COST 0.0000001"
    " AS $$ BEGIN RAISE NOTICE '% %', a, b; RETURN true; END $$;"
    " CREATE OPERATOR pg_temp.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.like_spy);"
    " SELECT count(*) FROM member.leads WHERE customer OPERATOR(pg_temp.<<<) code",
    # A program that says what it reads.
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM member.leads LOOP"
    " RAISE NOTICE '%', r; END LOOP; END $$",
    # Objects of the attacker's own in the way of what the functions use.
    "CREATE TEMP TABLE logins AS SELECT session_user AS login, '孙丽' AS person, NULL AS ended_at;"
    " SELECT * FROM member.leads",
    "CREATE TEMP VIEW people AS SELECT '李雷' AS name, 'admin' AS role, '' AS team, true AS active;"
    " CREATE TEMP VIEW places AS SELECT 1; SET search_path = pg_temp, pg_catalog;"
    " SELECT * FROM member.leads",
    "CREATE FUNCTION pg_temp.cardinality(anyarray) RETURNS int LANGUAGE sql AS 'SELECT 1';"
    " CREATE DOMAIN pg_temp.uuid AS text; SET search_path = pg_temp, member, pg_catalog;"
    " SELECT * FROM leads",
    # Another identity.
    "SET ROLE leadlog_member; SELECT * FROM member.leads",
    "SET row_security = off; SELECT * FROM member.leads",
    # Cursors, prepared statements, copies, locks.
    "BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT * FROM member.leads; COMMIT; FETCH ALL c",
    "PREPARE p(text) AS SELECT * FROM member.leads WHERE customer >= $1; EXECUTE p('')",
    "CREATE TEMP TABLE taken AS SELECT * FROM member.leads; SELECT * FROM taken",
    "SELECT database_to_xml(true, true, '')",
)  # fmt: skip
"""They run, and tell of the leads that the login may see, and of no other."""

DENIED = (
    # Errors that quote a value.
    "SELECT 1 FROM member.leads WHERE customer::int = 1",
    "SELECT 1 FROM member.leads WHERE 1 / (length(customer) - length(customer)) = 1",
    "SELECT 1 FROM member.leads WHERE customer::xml IS NULL",
    "SELECT jsonb(customer) FROM member.leads",
    "SELECT lead, customer::date FROM member.follow_ups JOIN member.leads USING (lead)",
    # Another identity.
    "SET SESSION AUTHORIZATION postgres; SELECT * FROM log.leadlog_events",
    "SET ROLE leadlog_analyst; SELECT * FROM report.leads",
    "SET ROLE leadlog_auditor; SELECT * FROM audit.events",
    "SET ROLE leadlog_projector; SELECT * FROM scope.places",
    "SET ROLE leadlog_writer; SELECT * FROM log.leadlog_events",
    "SET ROLE leadlog_sealer; SELECT * FROM log.leadlog_events",
    "SELECT set_config('session_authorization', 'postgres', false); SELECT * FROM member.leads",
    "SELECT set_config('role', 'leadlog_projector', false); SELECT * FROM scope.places",
    "GRANT leadlog_analyst TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "INSERT INTO access.logins (login, person, given_by) VALUES (session_user, '孙丽', 'x')",
    "UPDATE access.logins SET person = '孙丽'",
    # Changing what is read.
    "CREATE OR REPLACE VIEW member.leads AS SELECT * FROM report.leads",
    "CREATE FUNCTION scope.leads() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE VIEW public.mine AS SELECT * FROM scope.places; SELECT * FROM public.mine",
    "DELETE FROM member.leads",
    "UPDATE member.leads SET owner = '李雷'",
    "ALTER FUNCTION scope.lead_ids(name) SECURITY DEFINER",
    # Cursors, prepared statements, copies, locks.
    "LOCK TABLE member.leads IN ACCESS EXCLUSIVE MODE",
    "COPY scope.places TO STDOUT",
    "COPY member.leads TO '/tmp/leads'",
    "COPY (SELECT * FROM member.leads) TO PROGRAM 'cat'",
    "SELECT query_to_xml('SELECT * FROM scope.places', true, true, '')",
    "SELECT schema_to_xml('scope', true, true, '')",
    # Statistics, sizes, histories of statements.
    "SELECT * FROM pg_stats WHERE schemaname !~ '^pg_|^information'",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_stats_ext_exprs",
    "SELECT query FROM pg_stat_activity",
    "SELECT * FROM pg_stat_statements",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_description d JOIN pg_class c ON c.oid = d.objoid",
    # Files, large objects, other databases, the server.
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_read_binary_file('pg_hba.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_get(loid) FROM (SELECT DISTINCT loid FROM pg_largeobject) l",
    "SELECT lo_export(oid, '/tmp/lo') FROM pg_largeobject_metadata",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE EXTENSION pageinspect",
    "CREATE EXTENSION file_fdw",
    "LOAD 'auto_explain'",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "SELECT * FROM pg_logical_slot_peek_changes('x', NULL, NULL)",
    "SELECT pg_create_logical_replication_slot('x', 'test_decoding')",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE STATISTICS s ON owner, customer FROM member.leads",
    "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION log.refuse()",
    "SELECT * FROM scope.leads()",
    "SELECT scope.lead_ids('postgres')",
    "SELECT * FROM scope.of_login('postgres')",
)  # fmt: skip
"""They fail, or tell of no lead by its code."""

ATTACKS = (*SEEING, *DENIED)
