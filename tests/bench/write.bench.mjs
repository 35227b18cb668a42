// The batch writer: ordered, idempotent, with ids, edges and memberships, by the code that the manager runs, in
// batches as large as the manager's. Its floor copies the same rows, in the binary form and one transaction,
// into the same indexed tables; it knows no duplicates, no dead letters, no order.

import {Row} from './support/report.mjs';

export async function bench(run) {
  const events = run.size(1_000_000, 2000);
  const row = new Row({what: `batch writer, ${events.toLocaleString('en')} events`, unit: 'events/s',
    must: {least: 0.5}, aim: '0.8'});
  await run.repeat(async (i) => {
    const written = await run.database('written');
    const copied = await run.database('copied');
    await written.psql('CHECKPOINT;');
    const ours = await written.write(i + 1, events);
    const floor = await written.copyTo(copied);
    row.add(events / ours, events / floor);
    return `ours ${ours.toFixed(2)} s, COPY ${floor.toFixed(2)} s`;
  });
  return [row];
}
