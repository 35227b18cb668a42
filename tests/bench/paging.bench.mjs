// A page of 100 events at position 500,000 by its page_token, against the first page: one gRPC client.

import {figuresOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

export async function bench(run) {
  const database = await run.filled();
  const depth = Math.min(500_000, Math.floor(run.stored / 2));
  const api = await database.api();
  const gateway = await run.set.gateway({grpc: '127.0.0.1:1'}, api);
  const url = `http://${gateway.rest}/api/v1/events?limit=100&offset=${depth - 100}`;
  const {next_page_token: token} = await (await fetch(url)).json();

  const row = new Row({what: `page by page_token at depth ${depth.toLocaleString('en')}, against the first page`,
    unit: 'ms (p50)', must: {most: 1.2}});
  const page = (request) => figuresOf('calls', ['list', api.grpc, 1, run.size(1000, 20)], {input: [request]});
  await page('limit: 100'); // prepares
  await run.repeat(async (i, oursFirst) => {
    const {ours, floor} = await inTurns(oursFirst, () => page(`limit: 100 page_token: "${token}"`),
      () => page('limit: 100'));
    row.add(ours.p50_ms, floor.p50_ms);
    return `${ours.p50_ms} ms, first page ${floor.p50_ms} ms`;
  });
  await gateway.stop();
  await api.stop();
  return [row];
}
