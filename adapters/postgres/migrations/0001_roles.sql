-- The four roles of the service. They cannot log in: the service's own login takes one on with
-- SET ROLE, a person's login is granted one (docs/reference/grants.md). Roles belong to the whole
-- cluster, so another leadlog database may have made them already.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['leadlog_writer', 'leadlog_projector', 'leadlog_analyst', 'leadlog_auditor']
  LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    -- PostgreSQL 16 and later let nobody, superusers apart, act as a role by having created it.
    IF NOT pg_has_role(current_user, role_name, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
    END IF;
  END LOOP;
END $$;
