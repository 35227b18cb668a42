-- Indexes for asking: lists of sessions by each filter, and the members of one workflow in the order in
-- which they are folded.

-- migrate:up

CREATE INDEX agent_sessions_active ON agent_sessions (last_active_at DESC, session_id);
CREATE INDEX agent_sessions_type ON agent_sessions (agent_type, last_active_at DESC, session_id);

-- These give the list's order to the last column, in place of those that gave a part of it.
DROP INDEX agent_sessions_workflow, agent_sessions_instance, agent_sessions_status;
CREATE INDEX agent_sessions_workflow ON agent_sessions (workflow_id, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_instance ON agent_sessions (agent_instance_id, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_status ON agent_sessions (status, last_active_at DESC, session_id);

-- Late members are few: those that joined with their own position come from the primary key.
CREATE INDEX memberships_late_in_group ON memberships (group_id, since, position)
  WHERE since <> position;

-- migrate:down

DROP INDEX memberships_late_in_group;
DROP INDEX agent_sessions_workflow, agent_sessions_instance, agent_sessions_status;
CREATE INDEX agent_sessions_workflow ON agent_sessions (workflow_id);
CREATE INDEX agent_sessions_instance ON agent_sessions (agent_instance_id, last_active_at DESC);
CREATE INDEX agent_sessions_status ON agent_sessions (status, last_active_at DESC);
DROP INDEX agent_sessions_type, agent_sessions_active;
