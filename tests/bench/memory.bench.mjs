// What each service holds in memory (RSS) when it is idle, 3 s after it has become healthy, and how long it takes
// from its start until it serves; then the most that each holds while the manager drains a queue and the API and the
// gateway answer pages of 100 events to 10 clients.

import {EXCHANGE} from '../e2e/support/events.mjs';
import {pause, until} from '../e2e/support/wait.mjs';
import {drive, figuresOf} from './support/drivers.mjs';
import {memoryOf} from './support/memory.mjs';
import {Row} from './support/report.mjs';

const SERVICES = ['event-store-manager', 'event-store-api', 'gateway'];

export async function bench(run) {
  const events = run.size(60_000, 500);
  const database = await run.database('held');
  const table = (what, unit, must) =>
    new Map(SERVICES.map((name) => [name, new Row({what: `${name}, ${what}`, unit, must: must(name)})]));
  const idle = table('idle', 'MB', () => ({most: 60, of: 'ours'}));
  const loaded = table('under load', 'MB',
    (name) => name === 'event-store-manager' ? {most: 200, of: 'ours'} : undefined);
  const start = table('start to serving', 'ms', () => ({most: 1000, of: 'ours'}));

  await run.repeat(async (i) => {
    const running = {};
    for (const name of SERVICES) {
      const [manager, api] = SERVICES.map((other) => running[other]);
      const began = performance.now();
      running[name] = await {
        'event-store-manager': () => database.manager(),
        'event-store-api': () => database.api(),
        gateway: () => run.set.gateway(manager, api),
      }[name]();
      await running[name].untilHealthy({every: 5});
      start.get(name).add(performance.now() - began);
    }
    await pause(run.size(3000, 10));
    for (const name of SERVICES) idle.get(name).add(memoryOf(running[name], 'VmRSS'));

    const end = (await database.head()) + events;
    const stored = drive('bus', ['publish', EXCHANGE, i + 1, events], {env: run.broker})
      .then(() => database.untilHead(end));
    stored.catch(() => {}); // told below
    await until('there is something to read', async () => (await database.head()) >= 100);
    await Promise.all([stored,
      figuresOf('http', [running.gateway.rest, 10, run.size(3000, 50)], {input: ['/api/v1/events?limit=100']})]);
    for (const name of SERVICES) loaded.get(name).add(memoryOf(running[name], 'VmHWM'));
    for (const name of [...SERVICES].reverse()) await running[name].stop();
    return SERVICES.map((name) => `${name} ${Math.round(idle.get(name).ours.at(-1))} MB, ` +
      `${Math.round(loaded.get(name).ours.at(-1))} MB, ${Math.round(start.get(name).ours.at(-1))} ms`).join('; ');
  });
  return [...idle.values(), ...loaded.values(), ...start.values()];
}
