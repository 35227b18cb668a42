// Write-ahead log of an event with its id, edges and memberships, stored in batches as large as the manager's. The
// floor stores the same events in batches of 1,000 in the tables and indexes of the seed's architecture, as
// written there.

import {Row} from './support/report.mjs';
import {SEED_EVENTS} from './support/seed_schema.mjs';

export async function bench(run) {
  const events = run.size(200_000, 2000);
  const row = new Row({what: 'WAL of an event', unit: 'B', must: {most: 1.2}, aim: '0.8'});
  await run.repeat(async (i) => {
    const database = await run.database('logged');
    const ours = await database.walOf(() => database.write(i + 1, events));
    await database.psql('CREATE SCHEMA seed;', 'SET search_path = seed;', SEED_EVENTS);
    const floor = await database.walOf(() => database.psql(`DO $$ BEGIN
        FOR i IN 0..${Math.ceil(events / 1000) - 1} LOOP
          INSERT INTO seed.events
            SELECT event_id, event_type, timestamp, version, source, correlation_ids, agent_context, payload
            FROM public.events WHERE position > 1000 * i AND position <= 1000 * (i + 1) ORDER BY position;
          COMMIT;
        END LOOP;
      END $$;`));
    row.add(ours / events, floor / events);
    return `ours ${Math.round(ours / events)} B, seed 001 ${Math.round(floor / events)} B`;
  });
  return [row];
}
