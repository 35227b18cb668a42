// Pages of 100 events at random places of the log, by REST and by gRPC: 10 clients, each with one request under
// way. The floor is pgbench with 10 clients, which runs the very statements that the API runs for such a page, and
// converts nothing.

import {figuresOf, pgbench} from './support/drivers.mjs';
import {spreadPages} from './support/pages.mjs';
import {Row} from './support/report.mjs';
import {sqlOfPage} from './support/same_sql.mjs';

const CLIENTS = 10;

const shuffled = (lines) =>
  lines.map((line) => [Math.random(), line]).sort(([a], [b]) => a - b).map(([, line]) => line);

export async function bench(run) {
  const database = await run.filled();
  const pages = run.size(200, 5);
  const requests = run.size(4000, 50);
  const api = await database.api();
  const gateway = await run.set.gateway({grpc: '127.0.0.1:1'}, api);
  const spread = await spreadPages(gateway, run.stored, pages);
  const script = `\\set after random(0, ${pages - 1}) * ${spread.step} + 1\n` +
    (await sqlOfPage(database, spread.requests[1], spread.positions[1]));
  if (!script.includes(':after')) throw new Error(`the page's position is not in its SQL: ${script}`);

  const of = `events?limit=100, 10 clients, ${run.stored.toLocaleString('en')} stored`;
  const rest = new Row({what: `REST ${of}`, unit: 'pages/s', must: {least: 0.2}, aim: '0.5'});
  const grpc = new Row({what: `gRPC ${of}`, unit: 'pages/s', must: {least: 0.4}, aim: '0.8'});
  const latency = new Row({what: 'the same by REST, p95', unit: 'ms', must: {most: 200, of: 'ours'}});
  await run.repeat(async () => {
    const byRest = await figuresOf('http', [gateway.rest, CLIENTS, requests], {input: shuffled(spread.paths)});
    const byGrpc = await figuresOf('calls', ['list', api.grpc, CLIENTS, requests], {input: shuffled(spread.requests)});
    const floor = await pgbench(database.reader, script, {clients: CLIENTS, each: Math.ceil(requests / CLIENTS)});
    rest.add(byRest.count / byRest.seconds, floor);
    grpc.add(byGrpc.count / byGrpc.seconds, floor);
    latency.add(byRest.p95_ms);
    const [byHttp, byCalls] = [rest, grpc].map((row) => Math.round(row.ours.at(-1)));
    return `REST ${byHttp}/s, gRPC ${byCalls}/s, pgbench ${Math.round(floor)}/s`;
  });
  await gateway.stop();
  await api.stop();
  return [rest, grpc, latency];
}
