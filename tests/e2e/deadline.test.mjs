// Combinations of filters that no index serves: each is answered or stops at its deadline with an error that
// says what to do, by REST and gRPC, and no statement goes on in the database.

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import pg from 'pg';
import {Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {SampleLog} from './support/sample_log.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const EVENTS = 12_000;
const DEADLINE_MS = 400;
const SLACK_MS = 4000; // for a loaded machine
const TEXT = 'no index serves this combination of filters fast enough; narrow it, e.g. by workflow_id, event_type ' +
  'or a shorter time range';

describe('the deadline of queries', () => {
  const log = new SampleLog(EVENTS);
  let set, manager, database, admin, clients;
  const calls = []; // {name, rest, request}

  const seconds = (text) => ({seconds: Math.floor(Date.parse(text) / 1000), nanos: 0});

  // All pairs of filters, with values that many events have.
  const combine = () => {
    const early = '2026-01-03T00:00:00Z';
    const late = '2026-01-08T00:00:00Z';
    const filters = [
      ['workflow_id', log.workflows[0]], ['collaboration_id', log.collaborations[0]], ['session_id', log.sessions[0]],
      ['agent_id', 'a-1'], ['correlation_id', log.events[0].event_id], ['event_type', 'agent.heartbeat'],
      ['event_type', '*.b.c.d'], ['start_time', late], ['end_time', early],
    ];
    const typed = (name, value) => (name.endsWith('_time') ? seconds(value) : name === 'event_type' ? [value] : value);
    for (const [i, [one, first]] of filters.entries()) {
      for (const [other, second] of filters.slice(i + 1)) {
        if (one === other) continue;
        calls.push({
          name: `${one}=${first} and ${other}=${second}`,
          rest: `/api/v1/events?${new URLSearchParams([[one, first], [other, second], ['limit', 1000]])}`,
          request: {[one]: typed(one, first), [other]: typed(other, second), limit: 1000},
        });
      }
    }
  };

  // An API with this deadline, and a gateway in front of it: asks for one of the calls by both.
  const start = async (deadline) => {
    const api = await set.api({GOD33_QUERY_TIMEOUT_MS: `${deadline}`, GOD33_DATABASE_CONNECTIONS: '80'}, `api-${deadline}`);
    const gateway = await set.gateway(manager, api);
    await api.untilHealthy();
    const grpc = await EventStoreClient.discover(api.grpc);
    return {
      grpc,
      async byRest({rest}) {
        const response = await fetch(`http://${gateway.rest}${rest}`);
        const body = await response.json();
        if (response.ok) return body.events.map((event) => event.event_id);
        return {status: response.status, reason: body.reason, text: body.detail};
      },
      byGrpc: ({request}) => grpc.call('ListEvents', request).then(
        (page) => page.events.map((event) => event.event_id),
        ({code, reason, message}) => ({status: code, reason, text: message})),
    };
  };

  const REFUSALS = {byRest: 504, byGrpc: 'DEADLINE_EXCEEDED'};

  const isRefused = (answer, by, name) => {
    assert.deepEqual([answer.status, answer.reason], [REFUSALS[by], 'QUERY_TOO_SLOW'], name);
    assert.ok(answer.text.includes(TEXT), `${name}: ${answer.text}`);
  };

  // Statements of queries that are under way.
  const underWay = () => admin.value(`
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'event-store-api' AND state = 'active' AND query LIKE '%"timestamp"%'`);

  before(async () => {
    set = await TestSet.start('deadline');
    manager = await set.manager();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    admin = new Database(set.urls.GOD33_ADMIN_DATABASE_URL);
    const publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    await Promise.all(log.published.map((event) => publisher.publishEvent(event)));
    await publisher.close();
    await until('all are stored', async () => (await database.value('SELECT count(*) FROM event_ids')) === EVENTS &&
      !(await database.value('SELECT count(*) FROM adoptions')) && !(await database.value('SELECT count(*) FROM late_parents')),
    {within: 60_000});
    combine();
    clients = {patient: await start(60_000), usual: await start(DEADLINE_MS), hurried: await start(10)};
  });

  after(async () => {
    for (const {grpc} of Object.values(clients ?? {})) grpc.close();
    await set?.end();
  });

  test('each combination is answered rightly or stops', async (t) => {
    let stopped = 0;
    for (const call of calls) {
      const expected = await clients.patient.byGrpc(call);
      for (const by of ['byRest', 'byGrpc']) {
        const answer = await clients.hurried[by](call);
        if (Array.isArray(answer)) {
          assert.deepEqual(answer, expected, call.name);
        } else {
          isRefused(answer, by, call.name);
          ++stopped;
        }
      }
    }
    t.diagnostic(`with 10 ms ${stopped} of ${2 * calls.length} stopped`);
  });

  // In a log, or a month, that is so new that the database knows nothing of its values.
  test('two filters cost about as much as the one that leads', async (t) => {
    const fastest = async (request) => {
      const times = [];
      for (let i = 0; i < 4; ++i) {
        const began = performance.now();
        await clients.patient.grpc.call('ListEvents', request);
        times.push(performance.now() - began);
      }
      return Math.min(...times);
    };
    const workflow = {workflow_id: log.workflows[0], limit: 1000};
    const alone = await fastest(workflow);
    for (const more of [{agent_id: 'a-1'}, {session_id: log.sessions[0]}, {collaboration_id: log.collaborations[0]}]) {
      const both = await fastest({...workflow, ...more});
      t.diagnostic(`workflow_id ${alone.toFixed(1)} ms, with ${Object.keys(more)} ${both.toFixed(1)} ms`);
      assert.ok(both < 5 * alone + 100);
    }
  });

  test(`whatever holds a statement up, each stops at the deadline, in the database, too`, async (t) => {
    const locker = new pg.Client({connectionString: set.urls.GOD33_ADMIN_DATABASE_URL});
    await locker.connect();
    await locker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
    let slowest = 0;
    const ask = async (by, call) => {
      const began = Date.now();
      const answer = await clients.usual[by](call);
      const took = Date.now() - began;
      isRefused(answer, by, call.name);
      assert.ok(took >= DEADLINE_MS && took < DEADLINE_MS + SLACK_MS, `${call.name}: ${took} ms`);
      slowest = Math.max(slowest, took);
    };
    try {
      for (const by of ['byRest', 'byGrpc']) await Promise.all(calls.map((call) => ask(by, call)));
      assert.equal(await underWay(), 0, 'a statement goes on');
    } finally {
      await locker.end();
    }
    t.diagnostic(`deadline ${DEADLINE_MS} ms: the slowest of ${2 * calls.length} took ${slowest} ms`);
    for (const call of calls.slice(0, 5)) {
      const answer = await until('afterwards it answers', async () => {
        const ids = await clients.usual.byRest(call);
        return Array.isArray(ids) && ids;
      });
      assert.deepEqual(answer, await clients.patient.byRest(call));
    }
  });

  test('a client that gives up earlier leaves no statement behind either', async () => {
    const locker = new pg.Client({connectionString: set.urls.GOD33_ADMIN_DATABASE_URL});
    await locker.connect();
    await locker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
    try {
      const given = calls.slice(0, 10).map((call) => clients.usual.grpc.call('ListEvents', call.request, {deadline: 50}));
      for (const outcome of await Promise.allSettled(given)) assert.equal(outcome.reason.code, 'DEADLINE_EXCEEDED');
      await until('nothing goes on', async () => (await underWay()) === 0, {within: DEADLINE_MS + SLACK_MS});
    } finally {
      await locker.end();
    }
  });
});
