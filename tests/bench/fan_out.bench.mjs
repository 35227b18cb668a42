// 1,000 WebSocket clients of which each event is for 10, while the batch writer stores at full speed: from the first
// delivery to the last. The floor writes as many frames of the same size to as many sockets by writev, and reads them.

import {drive, launch} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

export async function bench(run) {
  const clients = run.size(1000, 100);
  const events = run.size(10_000, 200); // at most 10,000: by then the first 100 agents are done
  const database = await run.database('fanned_out');
  const api = await database.api();
  const gateway = await run.set.gateway({grpc: '127.0.0.1:1'}, api);
  await api.untilHealthy();

  const row = new Row({what: `${clients.toLocaleString('en')} subscribers, each event for ${clients / 100}`,
    unit: 'deliveries/s', aim: '0.5'});
  let frame = 2000; // bytes; then as they were
  const rate = ({deliveries, seconds}) => deliveries / seconds;
  await run.repeat(async (i, oursFirst) => {
    const {ours, floor} = await inTurns(oursFirst, async () => {
      const audience = await launch('fan_out', ['subscribe', gateway.rest, clients, events]);
      await database.write(i + 1, events);
      const figures = JSON.parse(await audience.rest);
      frame = Math.round(figures.bytes / figures.deliveries);
      return figures;
    }, async () => JSON.parse(await drive('fan_out', ['bare', clients, events, frame])));
    row.add(rate(ours), rate(floor));
    return `ours ${Math.round(rate(ours))}/s, writev ${Math.round(rate(floor))}/s, frames of ${frame} B`;
  });
  await gateway.stop();
  await api.stop();
  return [row];
}
