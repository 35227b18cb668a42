// The numbers that the seeds promise, with everything running at once: events of 100 workflows at a time come over the
// bus at 2,000 a second, and 100 users ask by REST. No floor; what must hold is the seeds'.

import {EXCHANGE} from '../e2e/support/events.mjs';
import {drive, figuresOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';

const RATE = 2000;
const USERS = 100;

export async function bench(run) {
  const stored = run.size(50_000, 1000);
  const events = run.size(10 * RATE, 200);
  const database = await run.database('loaded');
  await database.write(1_000_000, stored);
  const workflows = (await database.rows(
    "SELECT DISTINCT group_id FROM memberships WHERE kind = 'w' LIMIT 200")).map((row) => row.group_id);
  const recent = workflows.map((id) => `/api/v1/events?workflow_id=${id}&order=desc&limit=100`);
  const mixed = recent.flatMap((path, i) => [path, `/api/v1/workflows/${workflows[i]}`,
    `/api/v1/events?order=desc&limit=100`, `/api/v1/workflows/${workflows[i]}/timeline`]);

  const manager = await database.manager();
  const api = await database.api();
  const gateway = await run.set.gateway(manager, api);
  for (const service of [manager, api, gateway]) await service.untilHealthy();
  await database.untilFollowed();
  const rows = {
    stored: new Row({what: `events of 100 workflows, published at ${RATE}/s`, unit: 'events/s',
      must: {least: 1000, of: 'ours'}}),
    ingestion: latency('meanwhile, from receipt to commit, p95', 100),
    users: latency(`meanwhile, queries of ${USERS} users, each once a second, p95`, 200),
    recent: latency('meanwhile, recent events of a workflow, each user once a second, p95', 100),
    hurried: latency(`queries of ${USERS} users without a pause, p95`),
  };
  const ask = (paths, count, ...rate) => figuresOf('http', [gateway.rest, USERS, count, ...rate], {input: paths});
  await run.repeat(async (i) => {
    const before = await histogram(manager);
    const began = performance.now();
    const end = (await database.head()) + events;
    const publishing = drive('bus', ['publish', EXCHANGE, i + 1, events, RATE], {env: run.broker})
      .then(() => database.untilHead(end)).then(() => (performance.now() - began) / 1000);
    publishing.catch(() => {}); // if the asking fails, that is what is told
    const seconds = run.size(4, 1);
    const users = await ask(mixed, seconds * USERS, USERS);
    const recents = await ask(recent, seconds * USERS, USERS);
    rows.stored.add(events / (await publishing));
    rows.ingestion.add(quantile(before, await histogram(manager), 0.95) * 1000);
    rows.users.add(users.p95_ms);
    rows.recent.add(recents.p95_ms);
    rows.hurried.add((await ask(mixed, run.size(3000, 100))).p95_ms);
    return Object.values(rows).map((row) => `${row.what} ${row.ours.at(-1).toFixed(1)} ${row.unit}`).join('; ');
  });
  for (const service of [gateway, api, manager]) await service.stop();
  return Object.values(rows);
}

// `most`: milliseconds; left out: only reported.
function latency(what, most) {
  return new Row({what, unit: 'ms', must: most && {most, of: 'ours'}});
}

// The manager's own count of ingestion times: [[upper bound in seconds, how many took no longer]].
async function histogram(manager) {
  const text = await (await fetch(`http://${manager.http}/metrics`)).text();
  return [...text.matchAll(/^god33_ingest_duration_seconds_bucket\{le="([^"]+)"\} (\S+)$/gm)]
    .map(([, bound, count]) => [bound === '+Inf' ? Infinity : Number(bound), Number(count)]);
}

// The bound of the bucket in which this part of what came in between is reached.
function quantile(before, after, part) {
  const counts = after.map(([bound, count], i) => [bound, count - before[i][1]]);
  const all = counts.at(-1)[1];
  return counts.find(([, count]) => count >= part * all)[0];
}
