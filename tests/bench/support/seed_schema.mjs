// The events of the architecture in seed 001, in SQL that PostgreSQL takes: it has no INDEX inside CREATE TABLE.
export const SEED_EVENTS = `
  CREATE TABLE events (
    event_id UUID PRIMARY KEY,
    event_type VARCHAR(255) NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    version VARCHAR(20) NOT NULL,
    source JSONB NOT NULL,
    correlation_ids UUID[] NOT NULL,
    agent_context JSONB,
    payload JSONB NOT NULL
  );
  CREATE INDEX idx_event_type ON events(event_type);
  CREATE INDEX idx_timestamp ON events(timestamp DESC);
  CREATE INDEX idx_correlation_ids ON events USING GIN(correlation_ids);
  CREATE INDEX idx_checkpoint ON events((agent_context->>'checkpoint_id')) WHERE agent_context IS NOT NULL;`;
