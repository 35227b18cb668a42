// Appends by gRPC: 32 clients, one event a request, each answered after its commit. Two floors: an empty unary call
// to a server that does nothing, and pgbench, where 32 clients commit one row each, with the same payload and
// no index but the primary key.

import {figuresOf, launch, pgbench} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const CLIENTS = 32;

const ROWS = `
  CREATE TABLE rows (
    event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_type varchar(255) NOT NULL,
    timestamp timestamptz NOT NULL,
    payload json NOT NULL
  );`;

export async function bench(run) {
  const appends = run.size(60_000, 320);
  const database = await run.database('appended');
  const rows = await run.database('rows');
  await rows.psql(ROWS);
  const payload = JSON.stringify({text: 'x'.repeat(750)});
  const insert = `INSERT INTO rows (event_type, timestamp, payload) VALUES ('a.b', now(), '${payload}');\n`;

  const manager = await database.manager();
  await manager.untilHealthy();
  const empty = await launch('calls', ['serve']);
  const echo = new Row({what: 'append by gRPC, 32 clients, against an empty unary echo', unit: 'calls/s',
    must: {least: 0.3}, aim: '0.7'});
  const commits = new Row({what: 'the same, against pgbench with one row per commit', unit: 'events/s',
    must: {least: 0.6}, aim: '1.0'});
  const latency = new Row({what: 'the same, p95 from request to answer', unit: 'ms', must: {most: 100, of: 'ours'}});
  const rate = ({count, seconds}) => count / seconds;
  await run.repeat(async (i, oursFirst) => {
    const {ours, floor} = await inTurns(oursFirst,
      () => figuresOf('calls', ['append', manager.grpc, CLIENTS, i + 1, appends]),
      async () => ({
        echo: rate(await figuresOf('calls', ['echo', empty.line, CLIENTS, appends])),
        pgbench: await pgbench(rows.admin, insert, {clients: CLIENTS, each: Math.ceil(appends / CLIENTS)}),
      }));
    if ((await database.head()) !== (i + 1) * appends) throw new Error('not all was stored');
    echo.add(rate(ours), floor.echo);
    commits.add(rate(ours), floor.pgbench);
    latency.add(ours.p95_ms);
    return `ours ${Math.round(rate(ours))}/s, echo ${Math.round(floor.echo)}/s, pgbench ${Math.round(floor.pgbench)}/s`;
  });
  empty.end();
  await empty.rest;
  await manager.stop();
  return [echo, commits, latency];
}
