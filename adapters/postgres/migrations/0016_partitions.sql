-- A database whose read models are fed from a topic (docs/adr/0018): its log is empty, and this is how
-- far it has come in the topic. `company` then names the topic as `feed`.
CREATE TABLE projection.partitions (
  partition   int    PRIMARY KEY,
  topic       uuid,
  next_offset bigint NOT NULL DEFAULT 0,
  end_offset  bigint NOT NULL DEFAULT 0,
  position    bigint NOT NULL DEFAULT 0,
  refused     bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE projection.partitions IS 'Where a database that is fed from Kafka stands in each partition of the topic.';
COMMENT ON COLUMN projection.partitions.topic IS 'The id of the topic that the offsets are of.';
COMMENT ON COLUMN projection.partitions.next_offset IS 'The message that is read next.';
COMMENT ON COLUMN projection.partitions.end_offset IS 'Where the partition ended when it was last read.';
COMMENT ON COLUMN projection.partitions.position IS 'The highest position in the log of an event that came from it.';
COMMENT ON COLUMN projection.partitions.refused IS 'Messages that were no events of a log, and were passed over.';

-- The last version of each stream that is in the read models. Rows change often and in place.
CREATE TABLE projection.streams (
  stream  uuid   PRIMARY KEY,
  version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60);
COMMENT ON TABLE projection.streams IS 'The last version of each stream that a database fed from Kafka has seen.';

GRANT SELECT, INSERT, UPDATE, DELETE ON projection.partitions, projection.streams TO leadlog_projector;
