// From the first message that is published until the last one is committed: a publisher at full speed, which
// waits for the broker's confirms, and the manager working beside it. The floor has a bare consumer, which acks,
// in the manager's place.

import {EXCHANGE} from '../e2e/support/events.mjs';
import {drive} from './support/drivers.mjs';
import {Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const BARE = 'bench_bare'; // queue and exchange

export async function bench(run) {
  const events = run.size(60_000, 500);
  const database = await run.database('published');
  const manager = await database.manager();
  await manager.untilHealthy();
  const row = new Row({what: 'publish to committed, live publisher', unit: 'events/s', must: {least: 0.5}, aim: '0.9'});
  const timed = async (...works) => {
    const began = performance.now();
    await Promise.all(works);
    return (performance.now() - began) / 1000;
  };
  const publish = (exchange, seed) => drive('bus', ['publish', exchange, seed, events], {env: run.broker});
  await run.withQueue(BARE, BARE, () => run.repeat(async (i, oursFirst) => {
    const end = (await database.head()) + events;
    const {ours, floor} = await inTurns(oursFirst,
      () => timed(publish(EXCHANGE, i + 1), database.untilHead(end)),
      () => timed(publish(BARE, i + 1), drive('bus', ['consume', BARE, events], {env: run.broker})));
    row.add(events / ours, events / floor);
    return `ours ${ours.toFixed(2)} s, bare ${floor.toFixed(2)} s`;
  }));
  await manager.stop();
  return [row];
}
