-- Book-keeping of the read models. Each build of a projection owns a schema with its tables.
CREATE SCHEMA projection;

CREATE TABLE projection.builds (
  name       text        NOT NULL,
  generation int         NOT NULL,
  version    int         NOT NULL,
  state      text        NOT NULL CHECK (state IN ('live', 'building', 'old')),
  position   bigint      NOT NULL DEFAULT 0,
  -- While a new build is filled stream by stream: up to which position, and behind which event.
  fill_upto    bigint,
  fill_stream  uuid,
  fill_version bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, generation)
);
CREATE UNIQUE INDEX builds_one_live ON projection.builds (name) WHERE state = 'live';
COMMENT ON TABLE projection.builds IS 'Every build of a projection; its tables lie in schema p_<name>_<generation>.';

-- Events that a build could not fold, and the later ones of the same stream, in order.
CREATE TABLE projection.parked (
  name       text   NOT NULL,
  generation int    NOT NULL,
  stream     uuid   NOT NULL,
  position   bigint NOT NULL,
  error      text,
  parked_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, generation, position),
  FOREIGN KEY (name, generation) REFERENCES projection.builds ON DELETE CASCADE
);
CREATE INDEX parked_stream ON projection.parked (name, generation, stream);

-- What analysts read. The service itself reads the live builds' schemas.
CREATE SCHEMA report;
COMMENT ON SCHEMA report IS 'Documented views for analysts and BI tools: masked, no free text.';

GRANT USAGE ON SCHEMA projection TO leadlog_projector, leadlog_writer, leadlog_analyst;
GRANT USAGE, CREATE ON SCHEMA report TO leadlog_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON projection.builds, projection.parked TO leadlog_projector;
GRANT SELECT ON projection.builds TO leadlog_writer, leadlog_analyst;
GRANT USAGE ON SCHEMA report TO leadlog_analyst;

-- A build's schema, owned by the projector, who has no other right to make schemas.
CREATE FUNCTION projection.make_schema(build text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF build !~ '^p_[a-z_]+_[0-9]+$' THEN
    RAISE EXCEPTION 'not the name of a build: %', build;
  END IF;
  EXECUTE format('CREATE SCHEMA %I AUTHORIZATION leadlog_projector', build);
END $$;
REVOKE EXECUTE ON FUNCTION projection.make_schema FROM PUBLIC;
GRANT EXECUTE ON FUNCTION projection.make_schema TO leadlog_projector;
