-- What the register is folded from, found without reading the log: changes of the directory and of
-- policies are few beside the events of leads.
CREATE INDEX leadlog_events_register_idx ON log.leadlog_events (notification_id)
  WHERE topic LIKE 'directory.%' OR topic LIKE 'policy.%';
