// The first page of 100 events by each filter that has an index, in logs of 10,000, 100,000 and 1,000,000 events
// (what --stored says), against itself in the smallest: one gRPC client, 200 different values. Of workflows, sessions
// and agents each has 100 events in every log, a range of time 200; the type is that of all events.
//
// And combinations that no index serves, in the largest log: how long until the answer, or until QUERY_TOO_SLOW. They
// are asked of a copy in which the second half has another type, so that each of two filters has half a million
// events, or a quarter, and both together have none.

import {EventStoreClient} from '../e2e/support/grpc.mjs';
import {figuresOf} from './support/drivers.mjs';
import {Row} from './support/report.mjs';

const count = (number) => number.toLocaleString('en');

const DEADLINE_MS = 5000; // GOD33_QUERY_TIMEOUT_MS

const FILTERS = ['workflow', 'session', 'agent', 'correlation', 'time', 'type'];

export async function bench(run) {
  const sizes = run.small ? [1000, run.stored] : [10_000, 100_000, run.stored];
  const unindexed = await unindexedRows(run);
  const logs = [];
  for (const size of sizes) {
    const database = await run.filled(size);
    logs.push({size, api: await database.api(), requests: await requestsOf(database)});
  }
  const [smallest, ...larger] = logs;
  const rows = new Map();
  for (const {size} of larger) {
    for (const filter of FILTERS) {
      rows.set(`${filter} ${size}`, new Row({unit: 'ms (p50)', must: {most: 1.5}, aim: 'flat',
        what: `filter by ${filter}, ${count(size)} stored, against ${count(smallest.size)}`}));
    }
  }
  const page = async ({api, requests}, filter) =>
    (await figuresOf('calls', ['list', api.grpc, 1, run.size(600, 10)], {input: requests[filter]})).p50_ms;
  for (const log of logs) for (const filter of FILTERS) await page(log, filter); // prepares
  await run.repeat(async () => {
    const said = [];
    for (const filter of FILTERS) {
      const floor = await page(smallest, filter);
      for (const log of larger) rows.get(`${filter} ${log.size}`).add(await page(log, filter), floor);
      said.push(`${filter} ${floor} to ${rows.get(`${filter} ${larger.at(-1).size}`).ours.at(-1)} ms`);
    }
    return said.join('; ');
  });
  for (const {api} of logs) await api.stop();
  return [...rows.values(), ...unindexed];
}

// A row for each combination.
async function unindexedRows(run) {
  const database = await run.database('filters_unindexed', (await run.filled()).name);
  const head = await database.head();
  await database.psql(`UPDATE events SET event_type = 'agent.letta.task.completed' WHERE position > ${head / 2};`,
    `INSERT INTO event_types (event_type, first_position) VALUES ('agent.letta.task.completed', ${Math.ceil(head / 2)});`,
    'VACUUM ANALYZE events;');
  const [{early, middle, late}] = await database.rows(`
    SELECT extract(epoch FROM min("timestamp"))::bigint AS early, extract(epoch FROM max("timestamp"))::bigint AS late,
      (SELECT extract(epoch FROM "timestamp")::bigint FROM events WHERE position = ${Math.floor(head / 2)}) AS middle
    FROM events`);
  const second = (seconds) => ({seconds: Number(seconds), nanos: 0});
  const first = 'agent.letta.checkpoint.saved';
  const other = 'agent.letta.task.completed';
  const combinations = {
    'type and later time': {event_type: [first], start_time: second(middle + 2)},
    'type and earlier time': {event_type: [other], end_time: second(middle - 2)},
    'type and a quarter of the time': {event_type: [first], start_time: second(middle + 2),
      end_time: second(middle + Math.floor((late - middle) / 2))},
    'pattern and earlier time, newest first': {event_type: ['*.letta.task.*'], end_time: second((early + middle) / 2),
      order: 'desc'},
  };
  const api = await database.api();
  const client = await EventStoreClient.discover(api.grpc);
  const rows = [];
  for (const [name, filters] of Object.entries(combinations)) {
    const ends = new Set();
    const row = new Row({unit: 'ms', must: {most: DEADLINE_MS + 500, of: 'ours'}, what: ''});
    await run.repeat(async () => {
      const began = performance.now();
      const end = await client.call('ListEvents', {limit: 100, ...filters}).then(
        ({events}) => (events.length === 0 ? 'answered' : `${events.length} events`), ({reason}) => reason);
      row.add(performance.now() - began);
      ends.add(end);
      return `${name}: ${end} after ${Math.round(row.ours.at(-1))} ms`;
    });
    row.what = `without an index: ${name}, nothing matches, ${count(head)} stored: ${[...ends].join(' or ')}`;
    rows.push(row);
  }
  client.close();
  await api.stop();
  return rows;
}

// For each filter, requests with values of events that are spread over the log.
async function requestsOf(database) {
  const events = await database.rows(`
    SELECT event_id, memberships.group_id AS workflow, session_id, agent_id,
      extract(epoch FROM timestamp) AS seconds
    FROM (SELECT generate_series(1, $1::bigint, greatest(1, $1::bigint / 200)) AS position) AS spread
      JOIN events USING (position) JOIN memberships USING (position)`, await database.head());
  const at = (seconds) => `{ seconds: ${Math.floor(seconds)} nanos: ${Math.round((seconds % 1) * 1e9)} }`;
  const request = {
    workflow: (event) => `workflow_id: "${event.workflow}"`,
    session: (event) => `session_id: "${event.session_id}"`,
    agent: (event) => `agent_id: "${event.agent_id}"`,
    correlation: (event) => `correlation_id: "${event.event_id}"`,
    time: (event) => `start_time ${at(Number(event.seconds))} end_time ${at(Number(event.seconds) + 0.2)}`,
    type: () => 'event_type: "agent.letta.checkpoint.saved"',
  };
  const requests = (filter) => events.map((event) => `limit: 100 ${request[filter](event)}`);
  return Object.fromEntries(FILTERS.map((filter) => [filter, requests(filter)]));
}
