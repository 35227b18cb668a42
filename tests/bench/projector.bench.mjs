// The projector, from nothing to the end of a log. The floor reads the same events in steps of the same size, by the
// same statements, and folds and writes nothing.

import {secondsOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

export async function bench(run) {
  const events = run.size(100_000, 1000);
  const database = await run.database('projected');
  await database.write(1, events);
  await database.psql('VACUUM ANALYZE;');
  const env = {DATABASE_URL: database.writer};
  const row = new Row({what: 'projector', unit: 'events/s', must: {least: 0.3}, aim: '0.7'});
  await run.repeat(async (i, oursFirst) => {
    const {ours, floor} = await inTurns(oursFirst, () => secondsOf('log', ['project'], {env}),
      () => secondsOf('log', ['read'], {env}));
    row.add(events / ours, events / floor);
    return `ours ${ours.toFixed(2)} s, reading ${floor.toFixed(2)} s`;
  });
  return [row];
}
