-- Requests that their callers have named, so that a retry is known for one.

-- migrate:up

CREATE TABLE idempotency_keys (
  -- Who named it; keys of two callers have nothing to do with each other.
  subject text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- 128 bits of SHA-256 over the request.
  digest uuid NOT NULL,
  -- Ids that the request leaves out are derived from this.
  claim uuid NOT NULL DEFAULT gen_random_uuid(),
  claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (subject, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (claimed_at);

GRANT SELECT, INSERT, DELETE ON idempotency_keys TO god33_writer;

-- migrate:down

DROP TABLE idempotency_keys;
