// From the commit of an event to the WebSocket client that follows the log, at 1,000 events a second that come over
// the bus. The floor inserts one row per commit, with a NOTIFY, and fetches it on another connection. Both count from
// the database's clock just before the row is written, so the commit itself is in it.

import {EXCHANGE} from '../e2e/support/events.mjs';
import {drive, figuresOf, launch} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const RATE = 1000;

export async function bench(run) {
  const events = run.size(10 * RATE, 300);
  const database = await run.database('watched');
  await database.psql(`CREATE TABLE bench_notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL, payload json NOT NULL);`);
  const manager = await database.manager();
  const api = await database.api();
  const gateway = await run.set.gateway(manager, api);
  for (const service of [manager, api, gateway]) await service.untilHealthy();

  const what = 'commit to WebSocket client at 1,000 events/s';
  const median = new Row({what: `${what}, p50`, unit: 'ms', must: {most: 5, of: 'ours'}, aim: 'ratio <= 3'});
  const worst = new Row({what: `${what}, p99`, unit: 'ms', must: {most: 50, of: 'ours'}, aim: 'ratio <= 5'});
  const watch = async (seed) => {
    const watcher = await launch('live', ['watch', gateway.rest, events]);
    await drive('bus', ['publish', EXCHANGE, seed, events, RATE], {env: run.broker});
    return JSON.parse(await watcher.rest);
  };
  const notify = async () => {
    await database.rows('TRUNCATE bench_notes RESTART IDENTITY');
    return figuresOf('live', ['notify', events, RATE], {env: {DATABASE_URL: database.admin}});
  };
  await run.repeat(async (i, oursFirst) => {
    const {ours, floor} = await inTurns(oursFirst, () => watch(i + 1), notify);
    median.add(ours.p50_ms, floor.p50_ms);
    worst.add(ours.p99_ms, floor.p99_ms);
    return `ours p50 ${ours.p50_ms} ms, p99 ${ours.p99_ms} ms; NOTIFY p50 ${floor.p50_ms} ms, p99 ${floor.p99_ms} ms`;
  });
  for (const service of [gateway, api, manager]) await service.stop();
  return [median, worst];
}
