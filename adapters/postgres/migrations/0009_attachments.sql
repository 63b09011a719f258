-- The content of attachments, in chunks of a fixed size (the last one is shorter). What is attached
-- to which lead is said by events alone: a content that no event names is never shown to anybody.
-- The attachment's id is derived from lead, name and content, so a repeated upload finds it here.
CREATE TABLE log.attachments (
  attachment uuid  NOT NULL,
  chunk      int   NOT NULL,
  data       bytea NOT NULL,
  PRIMARY KEY (attachment, chunk)
) WITH (autovacuum_vacuum_threshold = 100000000);
-- Documents and pictures are compressed already.
ALTER TABLE log.attachments ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.attachments
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
GRANT SELECT, INSERT ON log.attachments TO leadlog_writer;
