// Redelivered messages that are all stored already: from the start of the manager until all are acked and it has
// stopped, with the write-ahead log that it causes. The floor consumes the same messages, redelivered too, and
// acks them.

import {EXCHANGE, QUEUE} from '../e2e/support/events.mjs';
import {until} from '../e2e/support/wait.mjs';
import {drive, secondsOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const BARE_QUEUE = 'bench_bare';

export async function bench(run) {
  const events = run.size(60_000, 500);
  const database = await run.database('redelivered');
  const manager = await database.manager();
  await manager.untilHealthy();
  await manager.stop();
  const bus = (...args) => drive('bus', args, {env: run.broker});

  const speed = new Row({what: 'redelivery of 100 % duplicates', unit: 'events/s', must: {least: 0.5}, aim: '0.8'});
  const wal = new Row({what: 'WAL of a redelivered duplicate', unit: 'B', must: {most: 20, of: 'ours'}});
  const drain = async (done) => {
    const began = performance.now();
    await manager.start();
    await done();
    await manager.stop();
    const seconds = (performance.now() - began) / 1000;
    if ((await run.messagesIn(QUEUE)) !== 0) throw new Error('not all was acked');
    return seconds;
  };
  await run.withQueue(BARE_QUEUE, EXCHANGE, () => run.repeat(async (i, oursFirst) => {
    await bus('publish', EXCHANGE, i + 1, events);
    await drain(async () => { await database.untilHead((i + 1) * events); await database.untilFollowed(); });
    await bus('consume', BARE_QUEUE, events);

    await bus('publish', EXCHANGE, i + 1, events);
    for (const queue of [QUEUE, BARE_QUEUE]) await bus('give-back', queue, events);
    let written;
    const known = () => until('all are known', async () =>
      (await manager.metric('god33_events_duplicate_total')) === events, {within: 300_000, every: 20});
    const {ours, floor} = await inTurns(oursFirst, async () => {
      let seconds;
      written = await database.walOf(async () => { seconds = await drain(known); });
      return seconds;
    }, () => secondsOf('bus', ['consume', BARE_QUEUE, events], {env: run.broker}));
    if ((await database.head()) !== (i + 1) * events) throw new Error('a duplicate was stored');
    speed.add(events / ours, events / floor);
    wal.add(written / events);
    return `ours ${ours.toFixed(2)} s, bare consume ${floor.toFixed(2)} s; ${(written / events).toFixed(1)} B of WAL`;
  }));
  return [speed, wal];
}
