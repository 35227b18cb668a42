// One subscriber that catches up by gRPC, from the beginning of the log. The floor copies the same columns of the
// same events out, in the binary form and in order.

import {secondsOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const COLUMNS = 'event_id, event_type, "timestamp", version, source, correlation_ids, agent_context, payload, ' +
  'position, recorded_at, payload_errors';

export async function bench(run) {
  const database = await run.filled();
  const events = Math.min(run.stored, 300_000);
  const api = await database.api();
  await api.untilHealthy();
  const row = new Row({what: 'catch-up of one gRPC subscriber', unit: 'events/s', must: {least: 0.3}, aim: '0.8'});
  const copy = async () => {
    const began = performance.now();
    await database.psql(`\\copy (SELECT ${COLUMNS} FROM events WHERE position <= ${events} ORDER BY position) ` +
      "TO '/dev/null' BINARY");
    return (performance.now() - began) / 1000;
  };
  await run.repeat(async (i, oursFirst) => {
    const {ours, floor} = await inTurns(oursFirst, () => secondsOf('stream', [api.grpc, events]), copy);
    row.add(events / ours, events / floor);
    return `ours ${ours.toFixed(2)} s, COPY ${floor.toFixed(2)} s`;
  });
  await api.stop();
  return [row];
}
