-- What is folded from the log: it can be thrown away and rebuilt.

-- migrate:up

-- The seed's columns, then the store's own. No foreign key points here: children arrive first.
CREATE TABLE workflow_state (
  workflow_id uuid PRIMARY KEY,
  project_name varchar(255) NOT NULL,
  current_phase varchar(50) NOT NULL,
  current_agent varchar(100),
  started_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  completed_at timestamptz,
  metadata json,
  -- The newest 1,000 folded events, oldest first.
  correlation_ids uuid[] NOT NULL,

  phase_history json NOT NULL,
  agent_handoffs json NOT NULL,
  -- How many events have been folded, and the newest position among them.
  version bigint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX workflow_state_project ON workflow_state (project_name, updated_at DESC, workflow_id);
CREATE INDEX workflow_state_phase ON workflow_state (current_phase, updated_at DESC, workflow_id);
CREATE INDEX workflow_state_updated ON workflow_state (updated_at DESC, workflow_id);

CREATE TABLE agent_sessions (
  session_id uuid PRIMARY KEY,
  agent_type varchar(50) NOT NULL,
  agent_instance_id varchar(255),
  checkpoint_id varchar(255),
  workflow_id uuid,
  started_at timestamptz NOT NULL,
  last_active_at timestamptz NOT NULL,
  completed_at timestamptz,
  status varchar(50) NOT NULL,
  metadata json,

  project_name varchar(255),
  version bigint NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX agent_sessions_workflow ON agent_sessions (workflow_id);
CREATE INDEX agent_sessions_checkpoint ON agent_sessions (checkpoint_id);
CREATE INDEX agent_sessions_instance ON agent_sessions (agent_instance_id, last_active_at DESC);
CREATE INDEX agent_sessions_status ON agent_sessions (status, last_active_at DESC);

-- Aggregates whose fold failed: they stand still, visibly, until a retry succeeds.
CREATE TABLE fold_failures (
  projection text NOT NULL,
  aggregate_id uuid NOT NULL,
  -- The first event that could not be folded, and when it became a member.
  since bigint NOT NULL,
  position bigint NOT NULL,
  error text NOT NULL,
  attempts integer NOT NULL DEFAULT 1,
  failed_at timestamptz NOT NULL DEFAULT now(),
  next_attempt_at timestamptz NOT NULL,
  PRIMARY KEY (projection, aggregate_id)
);

GRANT SELECT ON workflow_state, agent_sessions, fold_failures TO god33_reader, god33_writer;
GRANT INSERT, UPDATE, DELETE ON workflow_state, agent_sessions, fold_failures TO god33_writer;

-- migrate:down

DROP TABLE fold_failures, agent_sessions, workflow_state;
