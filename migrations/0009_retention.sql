-- Retention: dropping the oldest month of the log, and what has to stay so that the projections can still be
-- folded and past states still be answered. Ids, edges and memberships stay for ever.

-- migrate:up

-- The months that are gone. The log begins behind the newest one's last position: its horizon.
CREATE TABLE dropped_months (
  month timestamptz PRIMARY KEY,
  first_position bigint NOT NULL,
  last_position bigint NOT NULL UNIQUE,
  bytes bigint NOT NULL,
  dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (last_position >= first_position)
);

-- Of dropped events, those that folding from the horizon on still reads (libs/eventlog/fold_source.cc): members
-- that joined their workflow behind it, and requests for hand-offs that were accepted behind it. For folds only:
-- nobody is answered with them.
CREATE TABLE retained_events (
  position bigint PRIMARY KEY,
  event_id uuid NOT NULL UNIQUE,
  event_type varchar(255) COLLATE "C" NOT NULL,
  "timestamp" timestamptz NOT NULL,
  agent_context json,
  correlation_ids uuid[] NOT NULL,
  workflow_id uuid,
  session_id uuid,
  payload json NOT NULL
);

-- The projections as they were at the horizon: triplets of the live ones and of the twins in schema shadow, in
-- which they are folded before they change places.
CREATE SCHEMA snapshot;

CREATE TABLE snapshot.workflow_state (
  LIKE public.workflow_state INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (workflow_id));
CREATE INDEX workflow_state_project ON snapshot.workflow_state (project_name, updated_at DESC, workflow_id);
CREATE INDEX workflow_state_phase ON snapshot.workflow_state (current_phase, updated_at DESC, workflow_id);
CREATE INDEX workflow_state_updated ON snapshot.workflow_state (updated_at DESC, workflow_id);

CREATE TABLE snapshot.agent_sessions (
  LIKE public.agent_sessions INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (session_id));
CREATE INDEX agent_sessions_checkpoint ON snapshot.agent_sessions (checkpoint_id);
CREATE INDEX agent_sessions_active ON snapshot.agent_sessions (last_active_at DESC, session_id);
CREATE INDEX agent_sessions_type ON snapshot.agent_sessions (agent_type, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_workflow ON snapshot.agent_sessions (workflow_id, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_instance
  ON snapshot.agent_sessions (agent_instance_id, last_active_at DESC, session_id);
CREATE INDEX agent_sessions_status ON snapshot.agent_sessions (status, last_active_at DESC, session_id);

CREATE TABLE snapshot.fold_failures (
  LIKE public.fold_failures INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (projection, aggregate_id));

-- A job that folds a snapshot and then drops `month`.
ALTER TABLE projection_jobs
  ADD COLUMN month timestamptz,
  DROP CONSTRAINT projection_jobs_kind_check,
  DROP CONSTRAINT projection_jobs_phase_check,
  ADD CONSTRAINT projection_jobs_kind_check CHECK (kind IN ('rebuild', 'verify', 'snapshot')),
  ADD CONSTRAINT projection_jobs_phase_check
    CHECK (phase IN ('waiting', 'seeding', 'folding', 'comparing', 'swapping', 'dropping')),
  ADD CONSTRAINT projection_jobs_month_check CHECK ((kind = 'snapshot') = (month IS NOT NULL));

-- The months that have events, the oldest first, and how many months each is older than the log's current one:
-- the month of its newest event, or of the database's clock if that is earlier. So a clock that runs ahead makes
-- no month older, and a log that nobody writes to keeps what it has.
CREATE FUNCTION retention_months()
RETURNS TABLE (month timestamptz, first_position bigint, last_position bigint, age integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT m.month, m.first_position,
    coalesce(lead(m.first_position) OVER (ORDER BY m.month) - 1, (SELECT max(position) FROM event_ids)),
    (extract(year FROM age(current.month, m.month AT TIME ZONE 'UTC')) * 12
      + extract(month FROM age(current.month, m.month AT TIME ZONE 'UTC')))::integer
  FROM log_months AS m CROSS JOIN (
    SELECT least(date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC'), max(l.month) AT TIME ZONE 'UTC')
    FROM log_months AS l) AS current (month)
  ORDER BY m.month
$$;

-- Who still needs events up to p_last, other than the job p_job. No row: nobody.
CREATE FUNCTION retention_holds(p_last bigint, p_job uuid) RETURNS TABLE (reason text, detail text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT CASE name WHEN 'projector' THEN 'projector' WHEN 'outbox' THEN 'relay' ELSE 'cursor' END,
    format('the cursor %s is at position %s', name, coalesce(c.position, 0))
  FROM (SELECT name FROM cursors UNION VALUES ('projector'), ('outbox')) AS needed
    LEFT JOIN cursors AS c USING (name)
  WHERE coalesce(c.position, 0) < p_last
  UNION ALL
  SELECT 'late_parents', 'parents that came late are being worked off'
  WHERE EXISTS (SELECT FROM late_parents WHERE position <= p_last)
    OR EXISTS (SELECT FROM adoptions WHERE child_position <= p_last)
    OR EXISTS (SELECT FROM late_parents AS l JOIN event_orphans AS o ON o.parent_id = l.event_id
               WHERE o.child_position <= p_last)
  UNION ALL
  (SELECT 'frozen_fold', format('the %s %s stands still at position %s', projection, aggregate_id, position)
   FROM fold_failures WHERE position <= p_last ORDER BY position LIMIT 10)
  UNION ALL
  (SELECT 'replay', format('the replay %s is at position %s', replay_id, position)
   FROM replays WHERE state = 'running' AND position < p_last ORDER BY created_at LIMIT 10)
  UNION ALL
  SELECT 'projection_job', format('the %s %s is running', kind, job_id)
  FROM projection_jobs WHERE state = 'running' AND job_id IS DISTINCT FROM p_job
$$;

-- Drops the oldest month, in the caller's transaction, by which the snapshot that the job has folded takes the
-- place of the one before: the only way in which events go. Errors: 55000 says why it may not go; 55P03, that
-- somebody was in the way. Then nothing was done.
--
-- Others are kept waiting by the last part only: for the locks, at most lock_timeout, and while files and names
-- are taken out of the catalog. The files themselves go after that.
CREATE FUNCTION drop_event_month(p_month timestamptz, p_keep integer, p_job uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
  dropped record;
  partition text := 'events_' || to_char(p_month AT TIME ZONE 'UTC', 'YYYYMM');
  month_end timestamptz := (p_month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
  hold record;
  size bigint;
  name text;
BEGIN
  SELECT * INTO dropped FROM retention_months() LIMIT 1;
  IF dropped.month IS DISTINCT FROM p_month THEN
    RAISE EXCEPTION '% is not the oldest month of the log', p_month USING ERRCODE = '55000';
  END IF;
  -- The current month has age 0; with that the log keeps its head.
  IF p_keep IS NULL OR p_keep < 1 OR dropped.age <= p_keep THEN
    RAISE EXCEPTION '% is one of the % complete months to keep, or the current one', p_month, p_keep
      USING ERRCODE = '55000';
  END IF;
  SELECT * INTO hold FROM retention_holds(dropped.last_position, p_job) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the month is still needed: %', hold.detail USING ERRCODE = '55000';
  END IF;
  IF NOT EXISTS (SELECT FROM projection_jobs AS j
                 WHERE j.job_id = p_job AND j.kind = 'snapshot' AND j.state = 'running' AND j.phase = 'dropping'
                   AND j.month = p_month AND j.position = dropped.last_position AND j.within = 0) THEN
    RAISE EXCEPTION 'the snapshot at position % is not folded', dropped.last_position USING ERRCODE = '55000';
  END IF;
  IF EXISTS (SELECT FROM shadow.fold_failures) THEN
    RAISE EXCEPTION 'the snapshot at position % has workflows or sessions that can''t be folded',
      dropped.last_position USING ERRCODE = '55000';
  END IF;

  -- What folding from the snapshot on reads of this month.
  INSERT INTO retained_events
    SELECT e.position, e.event_id, e.event_type, e."timestamp", e.agent_context, e.correlation_ids,
      e.workflow_id, e.session_id, e.payload
    FROM (SELECT DISTINCT position FROM memberships
          WHERE since > dropped.last_position AND since <> position AND position <= dropped.last_position
            AND kind = 'w') AS late
      JOIN events AS e USING (position)
    WHERE e.recorded_at >= p_month AND e.recorded_at < month_end;
  INSERT INTO retained_events
    SELECT e.position, e.event_id, e.event_type, e."timestamp", e.agent_context, e.correlation_ids,
      e.workflow_id, e.session_id, e.payload
    FROM events AS e
    WHERE e.recorded_at >= p_month AND e.recorded_at < month_end
      AND e.event_type IN ('bmad.workflow.handoff.requested', 'agent.handoff.requested')
      AND (EXISTS (SELECT FROM event_edges AS edge JOIN events AS c ON c.position = edge.child_position
                   WHERE edge.parent_position = e.position AND edge.child_position > dropped.last_position
                     AND c.recorded_at >= month_end AND c.event_type = 'agent.handoff.accepted')
           OR EXISTS (SELECT FROM retained_events AS r
                      WHERE r.event_type = 'agent.handoff.accepted' AND e.event_id = ANY (r.correlation_ids)))
    ON CONFLICT DO NOTHING;
  -- And what it does not read any more of the months before.
  DELETE FROM retained_events AS r
  WHERE r.position < dropped.first_position
    AND NOT EXISTS (SELECT FROM memberships AS m
                    WHERE m.position = r.position AND m.kind::text = 'w' AND m.since > dropped.last_position)
    AND NOT EXISTS (SELECT FROM event_edges AS edge JOIN events AS c ON c.position = edge.child_position
                    WHERE edge.parent_position = r.position AND edge.child_position > dropped.last_position
                      AND c.recorded_at >= month_end AND c.event_type = 'agent.handoff.accepted')
    AND NOT EXISTS (SELECT FROM retained_events AS a
                    WHERE a.event_type = 'agent.handoff.accepted' AND r.event_id = ANY (a.correlation_ids));

  size := pg_total_relation_size(format('public.%I', partition));
  LOCK TABLE shadow.workflow_state, shadow.agent_sessions, shadow.fold_failures,
    snapshot.workflow_state, snapshot.agent_sessions, snapshot.fold_failures IN ACCESS EXCLUSIVE MODE;
  LOCK TABLE ONLY public.events IN ACCESS EXCLUSIVE MODE;
  CREATE SCHEMA projections_passing;
  FOREACH name IN ARRAY ARRAY['workflow_state', 'agent_sessions', 'fold_failures'] LOOP
    EXECUTE format('ALTER TABLE snapshot.%I SET SCHEMA projections_passing', name);
    EXECUTE format('ALTER TABLE shadow.%I SET SCHEMA snapshot', name);
    EXECUTE format('ALTER TABLE projections_passing.%I SET SCHEMA shadow', name);
  END LOOP;
  DROP SCHEMA projections_passing;
  EXECUTE format('DROP TABLE public.%I', partition);
  DELETE FROM log_months AS m WHERE m.month = p_month;
  INSERT INTO dropped_months (month, first_position, last_position, bytes)
    VALUES (p_month, dropped.first_position, dropped.last_position, size);
  PERFORM pg_notify('god33_log', '');
  RETURN dropped.last_position;
END
$$;

REVOKE EXECUTE ON FUNCTION retention_months(), retention_holds(bigint, uuid),
  drop_event_month(timestamptz, integer, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retention_months(), retention_holds(bigint, uuid),
  drop_event_month(timestamptz, integer, uuid) TO god33_writer;
GRANT SELECT ON dropped_months, retained_events TO god33_reader, god33_writer;
GRANT USAGE ON SCHEMA snapshot TO god33_reader, god33_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA snapshot TO god33_reader, god33_writer;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA snapshot TO god33_writer;

-- migrate:down

-- Where months were dropped, what was folded from them goes here, too: the projections that are live stay, and
-- can't be rebuilt any more.
DROP FUNCTION drop_event_month, retention_holds, retention_months;
DELETE FROM projection_jobs WHERE kind = 'snapshot';
ALTER TABLE projection_jobs
  DROP CONSTRAINT projection_jobs_month_check,
  DROP CONSTRAINT projection_jobs_phase_check,
  DROP CONSTRAINT projection_jobs_kind_check,
  DROP COLUMN month;
UPDATE projection_jobs SET phase = 'waiting' WHERE phase IN ('seeding', 'dropping');
ALTER TABLE projection_jobs
  ADD CONSTRAINT projection_jobs_kind_check CHECK (kind IN ('rebuild', 'verify')),
  ADD CONSTRAINT projection_jobs_phase_check
    CHECK (phase IN ('waiting', 'folding', 'comparing', 'swapping'));
DROP SCHEMA snapshot CASCADE;
DROP TABLE retained_events, dropped_months;
