-- Jobs that publish stored events again.

-- migrate:up

CREATE TABLE replays (
  replay_id uuid PRIMARY KEY,
  state text COLLATE "C" NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'completed', 'cancelled', 'failed')),
  requested_by text NOT NULL,

  workflow_id uuid,
  correlation_id uuid,
  event_types text[] NOT NULL,
  start_time timestamptz,
  end_time timestamptz,
  from_position bigint NOT NULL,
  to_position bigint NOT NULL,
  exchange text NOT NULL,
  rate integer NOT NULL CHECK (rate > 0),

  total bigint NOT NULL,
  total_exact boolean NOT NULL,
  published bigint NOT NULL DEFAULT 0,
  unroutable bigint NOT NULL DEFAULT 0,
  -- Everything up to here has been looked at.
  position bigint NOT NULL,
  error text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The rate allows the next step from then on.
  next_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX replays_due ON replays (next_at) WHERE state = 'running';
CREATE INDEX replays_newest ON replays (created_at DESC, replay_id);

GRANT SELECT, INSERT, UPDATE ON replays TO god33_writer;
GRANT SELECT ON replays TO god33_reader;

-- migrate:down

DROP TABLE replays;
