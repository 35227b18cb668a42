// Drains a preloaded queue: from the start of the manager until every message is stored in its place,
// acked, and the manager has stopped; with everything switched on that is on in production.
//
// Its floor does the two things that can't be left out, one after the other, and nothing else: takes the
// same messages from a queue of the same kind and acks them, and copies the same rows, in the binary form,
// into the same indexed tables. The floor knows no duplicates, no dead letters, no order.

import {EXCHANGE, QUEUE} from '../e2e/support/events.mjs';
import {drive, secondsOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const BARE_QUEUE = 'bench_bare';

export async function bench(run) {
  const events = run.size(60_000, 500);
  const database = await run.database('drained');
  const bare = await run.database('copied');
  const manager = await database.manager();
  await manager.untilHealthy();
  await manager.stop();

  const row = new Row({what: 'drain of a preloaded quorum queue', unit: 'events/s', must: {least: 0.4}, aim: '0.8'});
  const drain = async (end) => {
    const began = performance.now();
    await manager.start();
    await database.untilHead(end);
    await manager.stop();
    const seconds = (performance.now() - began) / 1000;
    if ((await run.messagesIn(QUEUE)) !== 0 || (await database.head()) !== end) throw new Error('not all was drained');
    return seconds;
  };
  await run.withQueue(BARE_QUEUE, EXCHANGE, () => run.repeat(async (i, oursFirst) => {
    const begin = await database.head();
    await drive('bus', ['publish', EXCHANGE, i + 1, events], {env: run.broker});
    const {ours, floor: consumed} = await inTurns(oursFirst, () => drain(begin + events),
      () => secondsOf('bus', ['consume', BARE_QUEUE, events], {env: run.broker}));
    const copied = await database.copyTo(bare, begin);
    row.add(events / ours, events / (consumed + copied));
    return `ours ${ours.toFixed(2)} s; bare consume ${consumed.toFixed(2)} s, bare COPY ${copied.toFixed(2)} s`;
  }));
  return [row];
}
