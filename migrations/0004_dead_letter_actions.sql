-- What people do with dead letters: sent back, dropped. Rows stay what they were otherwise.

-- migrate:up

-- Constant defaults: no row is rewritten. Checking the constraint and making the indexes read the table
-- (its bodies lie elsewhere) and hold up writers meanwhile; 1,000,000 rows take seconds.
ALTER TABLE dead_letters
  ADD COLUMN state text COLLATE "C" NOT NULL DEFAULT 'open',
  ADD COLUMN times_sent_back integer NOT NULL DEFAULT 0,
  ADD COLUMN sent_back_at timestamptz,
  ADD COLUMN dropped_at timestamptz,
  ADD CONSTRAINT dead_letters_state CHECK (
    (times_sent_back > 0) = (sent_back_at IS NOT NULL)
    AND state = CASE WHEN dropped_at IS NOT NULL THEN 'dropped'
                     WHEN sent_back_at IS NOT NULL THEN 'sent_back'
                     ELSE 'open' END);

-- Each list is of one state, or a merge of the lists of several; newest or oldest first.
CREATE INDEX dead_letters_listed ON dead_letters (state, recorded_at, dead_letter_id);
CREATE INDEX dead_letters_reason ON dead_letters (state, reason, recorded_at, dead_letter_id);
CREATE INDEX dead_letters_type
  ON dead_letters (state, event_type COLLATE "C", recorded_at, dead_letter_id)
  WHERE event_type IS NOT NULL;
-- A hash: routing keys come from the bus as they are.
CREATE INDEX dead_letters_key ON dead_letters (state, md5(routing_key), recorded_at, dead_letter_id);

GRANT UPDATE (state, times_sent_back, sent_back_at, dropped_at) ON dead_letters TO god33_writer;

-- migrate:down

REVOKE UPDATE (state, times_sent_back, sent_back_at, dropped_at) ON dead_letters FROM god33_writer;
DROP INDEX dead_letters_key, dead_letters_type, dead_letters_reason, dead_letters_listed;
ALTER TABLE dead_letters
  DROP CONSTRAINT dead_letters_state,
  DROP COLUMN dropped_at,
  DROP COLUMN sent_back_at,
  DROP COLUMN times_sent_back,
  DROP COLUMN state;
