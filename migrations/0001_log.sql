-- The event log. Roles god33_migrator, god33_writer and god33_reader come from bootstrap.sql.
-- Invariants stand here where the database can hold them: ids and positions are unique over all
-- partitions, positions are given by append_events only.

-- migrate:up

-- Which log this is. Every cursor handed out names log_id; it changes when a standby is promoted or a
-- backup restored, because positions may then be given a second time.
CREATE TABLE log_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  log_id uuid NOT NULL DEFAULT gen_random_uuid(),
  system_identifier bigint NOT NULL,
  timeline_id integer NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  -- Grows whenever memberships of stored events change, which makes look-ups stale just as a new head does.
  generation bigint NOT NULL DEFAULT 0
);
INSERT INTO log_identity (system_identifier, timeline_id) VALUES (0, 0);

-- Identity over all partitions: a unique constraint on a partitioned table would have to contain the
-- partition key and so let a retried event in twice. Narrow, and kept for ever: retention drops months
-- of events, never ids.
CREATE TABLE event_ids (
  event_id uuid PRIMARY KEY,
  position bigint NOT NULL UNIQUE CHECK (position > 0),
  -- 128 bits of SHA-256 over the normalized content; uuid is the 16-byte type. Equal digest: a duplicate.
  digest uuid NOT NULL
);

-- The seed's eight columns, then the store's own. json, not jsonb: a payload comes back as it was
-- (jsonb refuses \u0000, drops duplicate keys and rewrites numbers). What is filtered on has typed
-- columns, which stay usable below row-level security.
CREATE TABLE events (
  event_id uuid NOT NULL,
  event_type varchar(255) COLLATE "C" NOT NULL,
  "timestamp" timestamptz NOT NULL,
  version varchar(20) NOT NULL,
  source json NOT NULL,
  correlation_ids uuid[] NOT NULL,
  agent_context json,
  payload json NOT NULL,

  position bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  project varchar(255) COLLATE "C",
  workflow_id uuid,
  collaboration_id uuid,
  session_id uuid,
  agent_id varchar(255) COLLATE "C",
  checkpoint_id varchar(255) COLLATE "C",
  -- Only where it is not the event type.
  routing_key text,
  -- True: appended by one of our services, so the relay publishes it. False: came over the bus.
  appended boolean NOT NULL,
  aggregate text COLLATE "C",
  aggregate_version bigint,
  payload_errors text[]
) PARTITION BY RANGE (recorded_at);

CREATE INDEX events_position ON events (position);
CREATE INDEX events_type ON events (event_type, position);
CREATE INDEX events_timestamp ON events ("timestamp", position);
CREATE INDEX events_agent ON events (agent_id, position) WHERE agent_id IS NOT NULL;
CREATE INDEX events_session ON events (session_id, position) WHERE session_id IS NOT NULL;
CREATE INDEX events_checkpoint ON events (checkpoint_id, position) WHERE checkpoint_id IS NOT NULL;
CREATE INDEX events_appended ON events (position) WHERE appended;

-- Where each month begins, so that reading by position touches the months it needs.
CREATE TABLE log_months (
  month timestamptz PRIMARY KEY,
  first_position bigint NOT NULL UNIQUE
);

-- Causation: who caused whom, by position. (The seed has a GIN index on correlation_ids for this; edges
-- are faster to walk and need no operator that row-level security would forbid.)
CREATE TABLE event_edges (
  parent_position bigint NOT NULL,
  child_position bigint NOT NULL,
  PRIMARY KEY (parent_position, child_position)
);

-- Children whose parent is not stored yet; moved to event_edges when it arrives.
CREATE TABLE event_orphans (
  parent_id uuid NOT NULL,
  child_position bigint NOT NULL,
  PRIMARY KEY (parent_id, child_position)
);

-- Parents that arrived after their children; the projector works them off in the order of positions,
-- and queues in adoptions the events whose memberships may grow by it.
CREATE TABLE late_parents (
  position bigint PRIMARY KEY,
  event_id uuid NOT NULL
);
CREATE TABLE adoptions (
  child_position bigint PRIMARY KEY
);

-- Which events belong to a workflow ('w') or a collaboration ('c').
CREATE TABLE memberships (
  kind "char" NOT NULL CHECK (kind IN ('w', 'c')),
  group_id uuid NOT NULL,
  position bigint NOT NULL,
  -- The position at which the event became a member: its own, or a late parent's.
  since bigint NOT NULL,
  -- Children inherit the membership.
  inherited boolean NOT NULL,
  PRIMARY KEY (kind, group_id, position)
);
CREATE INDEX memberships_position ON memberships (position);
CREATE INDEX memberships_late ON memberships (since) WHERE since <> position;

-- The project that owns a workflow: that of the first event that names both, at `position`.
CREATE TABLE workflow_projects (
  workflow_id uuid PRIMARY KEY,
  project varchar(255) COLLATE "C" NOT NULL,
  position bigint NOT NULL
);
CREATE INDEX workflow_projects_position ON workflow_projects (position);

-- Every event type that was ever stored, with its first position.
CREATE TABLE event_types (
  event_type varchar(255) COLLATE "C" PRIMARY KEY,
  first_position bigint NOT NULL
);

CREATE TABLE aggregates (
  aggregate text COLLATE "C" PRIMARY KEY,
  version bigint NOT NULL CHECK (version > 0),
  position bigint NOT NULL
);

-- Messages set aside, with the untouched bytes. A copy goes to event_store_manager_dlq for operators.
CREATE TABLE dead_letters (
  dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text COLLATE "C" NOT NULL,
  detail text NOT NULL,
  event_id uuid,
  event_type text,
  exchange text NOT NULL,
  routing_key text NOT NULL,
  properties json NOT NULL,
  body bytea NOT NULL,
  -- SHA-256 over routing key, properties and body: recognises the same message on redelivery.
  digest bytea NOT NULL,
  attempts integer NOT NULL,
  copied_at timestamptz
);
CREATE INDEX dead_letters_digest ON dead_letters (digest);
CREATE INDEX dead_letters_uncopied ON dead_letters (dead_letter_id) WHERE copied_at IS NULL;

-- Who follows the log, how far he is, and who may move him: a lease with an epoch that grows with each
-- new holder and is checked whenever the position moves.
CREATE TABLE cursors (
  name text PRIMARY KEY,
  log_id uuid NOT NULL,
  position bigint NOT NULL DEFAULT 0,
  -- How far a follower is inside the work of position + 1, when that is more than one step.
  within bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  holder text NOT NULL DEFAULT '',
  expires_at timestamptz NOT NULL DEFAULT '-infinity',
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Makes the partition of the month that `at` lies in, if it isn't there. Attaching (unlike CREATE ...
-- PARTITION OF) lets readers and writers go on.
CREATE FUNCTION ensure_event_partition(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  month timestamptz := date_trunc('month', at, 'UTC');
  partition text := 'events_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
  IF to_regclass('public.' || partition) IS NOT NULL THEN
    RETURN;
  END IF;
  -- Two managers may get here at once. The catalog is read anew: to_regclass answers from a cache that
  -- the wait for the lock does not refresh.
  PERFORM pg_advisory_xact_lock(33, 2);
  IF EXISTS (SELECT FROM pg_class WHERE relname = partition
             AND relnamespace = 'public'::regnamespace) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                 partition);
  EXECUTE format('ALTER TABLE public.events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                 partition, month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
END
$$;

-- Makes the partitions of this month and of the next `ahead` ones. Returns how many there were to make.
CREATE FUNCTION ensure_event_partitions(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  before bigint := (SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.events'::regclass);
BEGIN
  FOR i IN 0..ahead LOOP
    PERFORM public.ensure_event_partition(
      (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => i))
        AT TIME ZONE 'UTC');
  END LOOP;
  RETURN (SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.events'::regclass) - before;
END
$$;

-- Compares the server with the one the log was last written on; on a promoted standby or a restored
-- backup the log gets a new id. Returns the log's id.
CREATE FUNCTION check_log_identity() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  system bigint := (SELECT system_identifier FROM pg_control_system());
  -- The WAL file being written names the timeline at once; the control file only after a checkpoint.
  timeline integer := ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer;
BEGIN
  UPDATE public.log_identity SET
    log_id = CASE WHEN system_identifier = 0 THEN log_id ELSE gen_random_uuid() END,
    system_identifier = system, timeline_id = timeline, since = now()
  WHERE (system_identifier, timeline_id) <> (system, timeline);
  RETURN (SELECT log_id FROM public.log_identity);
END
$$;

-- Stores a batch: takes the sequencing lock, and if the log still ends at p_head with memberships of
-- p_generation, gives the events the positions p_head + 1, p_head + 2, ... and writes all their rows.
-- Returns the time they were recorded at, or null, having written nothing, when the log has moved on and
-- the caller's look-ups are stale.
-- Everything a caller can prepare is prepared: here is no join and no look-up.
CREATE FUNCTION append_events(
  p_head bigint, p_generation bigint,
  p_event_id uuid[], p_digest uuid[], p_event_type text[], p_timestamp timestamptz[],
  p_version text[], p_source json[], p_correlation_ids text[], p_agent_context json[],
  p_payload json[], p_project text[], p_workflow_id uuid[], p_collaboration_id uuid[],
  p_session_id uuid[], p_agent_id text[], p_checkpoint_id text[], p_routing_key text[],
  p_appended boolean[], p_aggregate text[], p_aggregate_version bigint[], p_payload_errors text[],
  p_edge_parent bigint[], p_edge_child bigint[],
  p_orphan_parent uuid[], p_orphan_child bigint[],
  p_late_position bigint[], p_late_id uuid[],
  p_member_kind text[], p_member_group uuid[], p_member_position bigint[], p_member_inherited boolean[],
  p_owned_workflow uuid[], p_owning_project text[], p_owning_position bigint[],
  p_new_type text[], p_new_type_position bigint[],
  p_moved_aggregate text[], p_moved_version bigint[], p_moved_position bigint[]
) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  last_month timestamptz;
  last_recorded timestamptz;
  recorded timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(33, 1);
  IF p_head <> coalesce((SELECT max(position) FROM event_ids), 0)
      OR p_generation <> (SELECT generation FROM log_identity) THEN
    RETURN NULL;
  END IF;

  -- The store's clock never goes back, whatever the machine's does.
  recorded := clock_timestamp();
  SELECT month INTO last_month FROM log_months ORDER BY month DESC LIMIT 1;
  SELECT recorded_at INTO last_recorded FROM events
    WHERE position = p_head AND recorded_at >= last_month;
  recorded := greatest(recorded, last_recorded);
  IF last_month IS NULL OR date_trunc('month', recorded, 'UTC') > last_month THEN
    PERFORM ensure_event_partition(recorded);
    INSERT INTO log_months VALUES (date_trunc('month', recorded, 'UTC'), p_head + 1);
  END IF;

  INSERT INTO event_ids (event_id, position, digest)
    SELECT id, p_head + n, digest
    FROM unnest(p_event_id, p_digest) WITH ORDINALITY AS t (id, digest, n);

  INSERT INTO events
    SELECT id, type, ts, ver, src, parents::uuid[], ctx, body, p_head + n, recorded,
      proj, wf, collab, sess, agent, chk, rkey, app, agg, agg_ver, errors::text[]
    FROM unnest(p_event_id, p_event_type, p_timestamp, p_version, p_source, p_correlation_ids,
        p_agent_context, p_payload, p_project, p_workflow_id, p_collaboration_id, p_session_id,
        p_agent_id, p_checkpoint_id, p_routing_key, p_appended, p_aggregate, p_aggregate_version,
        p_payload_errors) WITH ORDINALITY
      AS t (id, type, ts, ver, src, parents, ctx, body, proj, wf, collab, sess, agent, chk, rkey, app,
        agg, agg_ver, errors, n);

  INSERT INTO event_edges SELECT * FROM unnest(p_edge_parent, p_edge_child);
  INSERT INTO event_orphans SELECT * FROM unnest(p_orphan_parent, p_orphan_child);
  INSERT INTO late_parents SELECT * FROM unnest(p_late_position, p_late_id);
  INSERT INTO memberships
    SELECT kind::"char", grp, pos, pos, inh
    FROM unnest(p_member_kind, p_member_group, p_member_position, p_member_inherited)
      AS t (kind, grp, pos, inh);
  INSERT INTO workflow_projects SELECT * FROM unnest(p_owned_workflow, p_owning_project, p_owning_position)
    ON CONFLICT DO NOTHING;
  INSERT INTO event_types SELECT * FROM unnest(p_new_type, p_new_type_position)
    ON CONFLICT DO NOTHING;
  INSERT INTO aggregates SELECT * FROM unnest(p_moved_aggregate, p_moved_version, p_moved_position)
    ON CONFLICT (aggregate) DO UPDATE
      SET version = excluded.version, position = excluded.position;

  -- A hint for followers that there is more to read; one per batch, since NOTIFY serializes commits.
  PERFORM pg_notify('god33_log', (p_head + cardinality(p_event_id))::text);
  RETURN recorded;
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO god33_reader, god33_writer;
GRANT INSERT ON event_ids, events, log_months, event_edges, event_orphans, late_parents, memberships,
  workflow_projects, event_types, aggregates, dead_letters, cursors TO god33_writer;
GRANT UPDATE (project) ON events TO god33_writer;
GRANT UPDATE (copied_at) ON dead_letters TO god33_writer;
GRANT UPDATE ON aggregates, cursors TO god33_writer;
GRANT UPDATE (generation) ON log_identity TO god33_writer;
GRANT INSERT, DELETE ON adoptions TO god33_writer;
GRANT UPDATE (inherited) ON memberships TO god33_writer;
GRANT DELETE ON event_orphans, late_parents TO god33_writer;
GRANT EXECUTE ON FUNCTION ensure_event_partition(timestamptz), ensure_event_partitions(integer),
  check_log_identity() TO god33_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO god33_writer;

-- migrate:down

DROP FUNCTION append_events, check_log_identity, ensure_event_partitions, ensure_event_partition;
DROP TABLE cursors, dead_letters, aggregates, event_types, workflow_projects, memberships, adoptions,
  late_parents, event_orphans, event_edges, log_months, events, event_ids, log_identity;
