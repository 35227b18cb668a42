-- What letta-bridge knows of its tasks.

-- migrate:up

-- A task is a hand-off that letta-* was asked to take. `state` is the fold of its events and of nothing
-- else; the other columns are what of it is asked for.
CREATE TABLE letta_tasks (
  task_id uuid PRIMARY KEY,
  status text COLLATE "C" NOT NULL,
  to_agent text COLLATE "C" NOT NULL,
  workflow_id uuid NOT NULL,
  session_id uuid,
  priority integer NOT NULL,
  deadline timestamptz,
  -- Paused, and what it waited for has come.
  ready boolean NOT NULL,
  state json NOT NULL,
  -- Why it could not be worked on the last time that was tried; no part of the fold.
  waits_for text,
  -- The order in which they came in; no part of the fold.
  arrival bigint GENERATED ALWAYS AS IDENTITY
);
-- The work to be done, in its order.
CREATE INDEX letta_tasks_open ON letta_tasks (status, priority DESC, arrival)
  WHERE status IN ('waiting', 'active', 'paused', 'recovering');
CREATE INDEX letta_tasks_arrival ON letta_tasks (arrival DESC);
CREATE INDEX letta_tasks_workflow ON letta_tasks (workflow_id, arrival DESC);

-- Each session of a task, also those that were given up.
CREATE TABLE letta_sessions (
  session_id uuid PRIMARY KEY,
  task_id uuid NOT NULL REFERENCES letta_tasks
);
CREATE INDEX letta_sessions_task ON letta_sessions (task_id);

-- A publisher's retries of one hand-off are one task.
CREATE TABLE letta_handoff_keys (
  from_agent text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  task_id uuid NOT NULL,
  PRIMARY KEY (from_agent, key)
);

-- The right to act for a task. The epoch grows with each holder; whoever appends for a task proves in the
-- same transaction that his is the newest. The row stays when nobody holds it.
CREATE TABLE letta_leases (
  task_id uuid PRIMARY KEY,
  holder text NOT NULL,
  epoch bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX letta_leases_holder ON letta_leases (holder);

-- What people asked of a task: pause, resume, cancel, checkpoint. Gone when it is done.
CREATE TABLE letta_orders (
  task_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('pause', 'resume', 'cancel', 'checkpoint')),
  reason text NOT NULL,
  asked_by text NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (task_id, kind)
);

-- The memory of an agent at checkpoints; the same content is kept once.
CREATE TABLE letta_memories (
  digest text COLLATE "C" PRIMARY KEY,
  files json NOT NULL,
  bytes bigint NOT NULL,
  -- When a checkpoint last named it: it is not dropped for an hour, in which that checkpoint is committed.
  kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Records to go on from. The event agent.letta.checkpoint.saved has the same content for good; these rows
-- go with retention.
CREATE TABLE letta_checkpoints (
  task_id uuid NOT NULL,
  sequence bigint NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL UNIQUE,
  session_id uuid NOT NULL,
  event_id uuid NOT NULL,
  type text NOT NULL,
  memory_digest text COLLATE "C" NOT NULL,
  record json NOT NULL,
  saved_at timestamptz NOT NULL,
  PRIMARY KEY (task_id, sequence)
);
CREATE INDEX letta_checkpoints_session ON letta_checkpoints (session_id, sequence);
CREATE INDEX letta_checkpoints_memory ON letta_checkpoints (memory_digest);

-- Questions to people, of the bridge's agents (task_id) and of others.
CREATE TABLE letta_questions (
  request_id uuid PRIMARY KEY,
  task_id uuid,
  workflow_id uuid,
  agent text COLLATE "C" NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'answered', 'timed_out', 'withdrawn')),
  payload json NOT NULL,
  asked_at timestamptz NOT NULL,
  answer_by timestamptz,
  settled_by uuid,
  settled_at timestamptz,
  answer text
);
CREATE INDEX letta_questions_asked ON letta_questions (asked_at DESC, request_id);
CREATE INDEX letta_questions_due ON letta_questions (answer_by)
  WHERE status = 'pending' AND answer_by IS NOT NULL;
CREATE INDEX letta_questions_pending ON letta_questions (asked_at DESC, request_id)
  WHERE status = 'pending';

-- Answers that came after the first.
CREATE TABLE letta_late_answers (
  event_id uuid PRIMARY KEY,
  request_id uuid NOT NULL
);
CREATE INDEX letta_late_answers_request ON letta_late_answers (request_id);

-- Calls of tools that do something: the intent before, the result after.
CREATE TABLE letta_tool_calls (
  task_id uuid NOT NULL,
  call_id text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  -- The newest checkpoint when it began.
  checkpoint bigint NOT NULL,
  -- The agent went on from a checkpoint before it, and has not made it again.
  lost boolean NOT NULL DEFAULT false,
  tool text NOT NULL,
  arguments json NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  result text,
  is_error boolean,
  ended_at timestamptz,
  PRIMARY KEY (task_id, call_id)
);

-- The agents that the bridge has made.
CREATE TABLE letta_agents (
  agent_id text COLLATE "C" PRIMARY KEY,
  instance_id text COLLATE "C" NOT NULL UNIQUE,
  agent_type text COLLATE "C" NOT NULL,
  project text COLLATE "C" NOT NULL,
  -- warm: can be taken; busy: works on task_id; returned: its memory is still the last task's;
  -- gone: Letta knows it no more, or it was deleted
  state text NOT NULL CHECK (state IN ('warm', 'busy', 'returned', 'gone')),
  task_id uuid,
  -- Made by a caller, who gives it its tasks: no agent of the pool.
  own boolean NOT NULL,
  -- A bridge that was lost may still write to its memory: no other task gets it.
  suspect boolean NOT NULL DEFAULT false,
  spec json NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((state = 'busy') = (task_id IS NOT NULL))
);
CREATE INDEX letta_agents_pool ON letta_agents (agent_type, project, state) WHERE state <> 'gone';
CREATE INDEX letta_agents_task ON letta_agents (task_id) WHERE task_id IS NOT NULL;

-- How many agents of a type were ever made: their names are numbered.
CREATE TABLE letta_agent_numbers (
  agent_type text COLLATE "C" PRIMARY KEY,
  made bigint NOT NULL
);

GRANT SELECT ON letta_tasks, letta_sessions, letta_leases, letta_checkpoints, letta_memories, letta_questions,
  letta_agents TO god33_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON letta_tasks, letta_sessions, letta_handoff_keys, letta_leases, letta_orders,
  letta_memories, letta_checkpoints, letta_questions, letta_late_answers, letta_tool_calls, letta_agents,
  letta_agent_numbers TO god33_writer;

-- migrate:down

DROP TABLE letta_agent_numbers, letta_agents, letta_tool_calls, letta_late_answers, letta_questions,
  letta_checkpoints, letta_memories, letta_orders, letta_leases, letta_handoff_keys, letta_sessions, letta_tasks;
