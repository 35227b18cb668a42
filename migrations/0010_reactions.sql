-- How services react to events (libs/reaction): what each has handled, and what it failed at. Operational state, no
-- fold: who loses it handles events a second time.

-- migrate:up

-- Where the log ended when a service ran for the first time. It handles what comes behind that; of what came before,
-- only what its queues still bring.
CREATE TABLE reaction_origins (
  service text COLLATE "C" PRIMARY KEY,
  position bigint NOT NULL CHECK (position >= 0)
);

-- Events that a service has handled, for as long as its cursor ("reaction <service>") says nothing of them: it has
-- not come to them yet, or they are older than the origin, or are not stored.
CREATE TABLE reactions (
  service text COLLATE "C" NOT NULL,
  event_id uuid NOT NULL,
  PRIMARY KEY (service, event_id)
);

-- Events that a service could not handle. They count as handled, and are tried again when it starts.
CREATE TABLE reaction_failures (
  service text COLLATE "C" NOT NULL,
  event_id uuid NOT NULL,
  event_type varchar(255) COLLATE "C" NOT NULL,
  -- Null: it was not stored yet.
  position bigint,
  reason text COLLATE "C" NOT NULL,
  detail text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (service, event_id)
);

GRANT SELECT ON reaction_origins, reactions, reaction_failures TO god33_reader, god33_writer;
GRANT INSERT ON reaction_origins TO god33_writer;
GRANT INSERT, DELETE ON reactions TO god33_writer;
GRANT INSERT, UPDATE, DELETE ON reaction_failures TO god33_writer;

-- migrate:down

-- The cursors mean nothing without the rest. A service that runs again after this begins anew.
DELETE FROM cursors WHERE name LIKE 'reaction %';
DROP TABLE reaction_failures, reactions, reaction_origins;
