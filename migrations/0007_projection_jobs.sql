-- Folding the log again beside the live projections: to put the result in their place (rebuild), or to
-- compare with them (verify).

-- migrate:up

-- Which edition of the projections the tables hold: it grows when a rebuild has put another one in their
-- place, so whoever remembers rows knows that they are of the past.
CREATE TABLE projection_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  generation bigint NOT NULL DEFAULT 1
);
INSERT INTO projection_identity DEFAULT VALUES;

CREATE TABLE projection_jobs (
  job_id uuid PRIMARY KEY,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('rebuild', 'verify')),
  state text COLLATE "C" NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'completed', 'cancelled', 'failed')),
  phase text COLLATE "C" NOT NULL DEFAULT 'waiting'
    CHECK (phase IN ('waiting', 'folding', 'comparing', 'swapping')),
  requested_by text NOT NULL,
  -- Only this one; both null: all.
  workflow_id uuid,
  session_id uuid,

  -- How far the shadow tables are, as cursors have it; written with them in one transaction.
  position bigint NOT NULL DEFAULT 0,
  within bigint NOT NULL DEFAULT 0,
  -- Where the live projections were then.
  target bigint NOT NULL DEFAULT 0,
  folded bigint NOT NULL DEFAULT 0,

  -- What comparing found, at which position.
  compared_at bigint,
  checked bigint NOT NULL DEFAULT 0,
  changed bigint NOT NULL DEFAULT 0,
  added bigint NOT NULL DEFAULT 0,
  removed bigint NOT NULL DEFAULT 0,

  swap_attempts integer NOT NULL DEFAULT 0,
  generation bigint,
  error text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz
);
CREATE UNIQUE INDEX projection_jobs_running ON projection_jobs ((true)) WHERE state = 'running';
CREATE INDEX projection_jobs_newest ON projection_jobs (created_at DESC, job_id);

-- The first differences that a job found.
CREATE TABLE projection_differences (
  job_id uuid NOT NULL REFERENCES projection_jobs,
  n integer NOT NULL,
  projection text COLLATE "C" NOT NULL,
  aggregate_id uuid NOT NULL,
  difference text COLLATE "C" NOT NULL CHECK (difference IN ('changed', 'added', 'removed')),
  column_name text NOT NULL,
  live text,
  folded text,
  PRIMARY KEY (job_id, n)
);

-- The twins of the projections: same columns, constraints, names of indexes, and grants, so that they can
-- take each other's place. Code that works on projections works on the twins by search_path. A migration
-- that changes the one must change the other (tests/integration/migrations.sh compares them). What refers to
-- a table itself and not to its name, such as a view, would stay with the old one.
CREATE SCHEMA shadow;

CREATE TABLE shadow.workflow_state (
  LIKE public.workflow_state INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (workflow_id));
CREATE INDEX workflow_state_project ON shadow.workflow_state (project_name, updated_at DESC, workflow_id);
CREATE INDEX workflow_state_phase ON shadow.workflow_state (current_phase, updated_at DESC, workflow_id);
CREATE INDEX workflow_state_updated ON shadow.workflow_state (updated_at DESC, workflow_id);

CREATE TABLE shadow.agent_sessions (
  LIKE public.agent_sessions INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (session_id));
CREATE INDEX agent_sessions_checkpoint ON shadow.agent_sessions (checkpoint_id);
CREATE INDEX agent_sessions_active ON shadow.agent_sessions (last_active_at DESC, session_id);
CREATE INDEX agent_sessions_type ON shadow.agent_sessions (agent_type, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_workflow ON shadow.agent_sessions (workflow_id, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_instance ON shadow.agent_sessions (agent_instance_id, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_status ON shadow.agent_sessions (status, last_active_at DESC, session_id);

CREATE TABLE shadow.fold_failures (
  LIKE public.fold_failures INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (projection, aggregate_id));

-- Empties the twins, which the writer itself may not.
CREATE FUNCTION empty_shadow_projections() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  TRUNCATE shadow.workflow_state, shadow.agent_sessions, shadow.fold_failures;
$$;

-- Gives the planner the statistics of the twins, so that queries are as fast after the swap as before.
CREATE FUNCTION analyze_shadow_projections() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  ANALYZE shadow.workflow_state, shadow.agent_sessions, shadow.fold_failures;
$$;

-- Lets projections and twins take each other's place, in the caller's transaction, and returns the new
-- generation. Readers wait until it commits, so it waits for them for a moment only: 55P03 says that they
-- were in the way, and that nothing was done. Statements that readers have prepared go on working: their
-- names are looked up again.
CREATE FUNCTION swap_projections() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
  name text;
  edition bigint;
BEGIN
  LOCK TABLE public.workflow_state, public.agent_sessions, public.fold_failures,
    shadow.workflow_state, shadow.agent_sessions, shadow.fold_failures IN ACCESS EXCLUSIVE MODE;
  -- A schema of this moment: two tables with indexes of one name can't pass each other in one.
  CREATE SCHEMA projections_passing;
  FOREACH name IN ARRAY ARRAY['workflow_state', 'agent_sessions', 'fold_failures'] LOOP
    EXECUTE format('ALTER TABLE public.%I SET SCHEMA projections_passing', name);
    EXECUTE format('ALTER TABLE shadow.%I SET SCHEMA public', name);
    EXECUTE format('ALTER TABLE projections_passing.%I SET SCHEMA shadow', name);
  END LOOP;
  DROP SCHEMA projections_passing;
  UPDATE public.projection_identity SET generation = generation + 1 RETURNING generation INTO edition;
  PERFORM pg_notify('god33_log', '');
  RETURN edition;
END
$$;

REVOKE EXECUTE ON FUNCTION empty_shadow_projections(), analyze_shadow_projections(), swap_projections()
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION empty_shadow_projections(), analyze_shadow_projections(), swap_projections()
  TO god33_writer;
GRANT SELECT ON projection_identity, projection_jobs, projection_differences TO god33_reader, god33_writer;
GRANT INSERT, UPDATE ON projection_jobs TO god33_writer;
GRANT INSERT ON projection_differences TO god33_writer;
GRANT USAGE ON SCHEMA shadow TO god33_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA shadow TO god33_reader, god33_writer;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shadow TO god33_writer;

-- migrate:down

DROP FUNCTION swap_projections, analyze_shadow_projections, empty_shadow_projections;
-- With whichever of the two editions is in it now.
DROP SCHEMA shadow CASCADE;
DROP TABLE projection_differences, projection_jobs, projection_identity;
