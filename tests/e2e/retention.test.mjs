// Months of the log are dropped while services append and readers read, through a kill -9 in the middle: what is
// gone is answered 410, what was folded from it stays and can be rebuilt, and its ids stay known.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import pg from 'pg';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {LiveSocket, PATH} from './support/live.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {until} from './support/wait.mjs';

const EACH = 20; // events of a month
const HORIZON = 2 * EACH + 1; // with one complete month kept of three
const KEEPS_ONE = {GOD33_RETENTION_MONTHS: '1'};

describe('retention', () => {
  let set, services, rest, database, admin, managers, client, appender, socket, tokens, before_;
  const [workflow, session] = [randomUUID(), randomUUID()];
  const events = [];

  const json = (response, code = 200) => {
    assert.equal(response.status, code, response.text);
    return JSON.parse(response.text);
  };
  const get = async (path, parameters) => json(await rest.get(`/api/v1${path}`, parameters));
  const gone = async (path, parameters, field) => {
    const response = await rest.get(`/api/v1${path}`, parameters);
    const problem = json(response, 410);
    assert.deepEqual([problem.reason, problem.field], ['RETENTION', field], response.text);
    assert.match(problem.detail, new RegExp(`begins at position ${HORIZON}`));
  };
  const post = (event) => rest.post('/api/v1/events', JSON.stringify(event));
  const running = () => managers.filter((manager) => manager.running);
  const god33 = async (...args) => {
    const end = await run(executable('god33'), args,
      {env: {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_MANAGER_ADDR: running()[0].grpc,
        GOD33_EVENT_STORE_API_ADDR: services.api.grpc}, timeout: 90_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };
  const monthAgo = (n) => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n)).toISOString().slice(0, 7);
  };
  const eventOf = (i) => {
    const of = {workflow_id: workflow, session_id: session};
    const parents = i > 0 ? [events[i - 1].event_id] : [];
    switch (i % 4) {
      case 0: return canonical({event_type: 'agent.handoff.requested', correlation_ids: parents,
        payload: {...of, from_agent: 'bmad-a', to_agent: `letta-${i}`}});
      case 1: return canonical({event_type: 'agent.handoff.accepted', correlation_ids: parents,
        payload: {...of, agent_type: 'other'}});
      case 2: return canonical({event_type: 'bmad.workflow.phase.completed', correlation_ids: parents,
        payload: {...of, phase: `p${i}`, next_phase: `p${i + 1}`}});
      default: return canonical({event_type: 'agent.letta.checkpoint.saved', correlation_ids: parents,
        payload: {...of, checkpoint_id: `c${i}`}});
    }
  };
  const stateOf = async () => [await get(`/workflows/${workflow}/state`),
    await database.value('SELECT s::text FROM agent_sessions AS s WHERE session_id = $1', session)];

  before(async () => {
    set = await TestSet.start('retention');
    services = await set.all();
    managers = [services.manager];
    rest = new Rest(services.gateway.rest);
    database = new Database(set.urls.DATABASE_URL);
    admin = new Database(set.urls.GOD33_ADMIN_DATABASE_URL);
    for (let i = 0; i < 4 * EACH; ++i) events.push(eventOf(i));
    json(await post(events), 201);
    await until('all is folded and relayed', async () =>
      (await database.value("SELECT count(*) FROM cursors WHERE name IN ('outbox', 'projector') AND position = $1",
        4 * EACH)) === 2, {within: 30_000});
    // As if they had been stored over four months; only the owner of the tables can make it look so.
    await admin.rows(`DO $$ DECLARE m timestamptz; BEGIN
      TRUNCATE log_months;
      FOR i IN 0..3 LOOP
        m := (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => 3 - i)) AT TIME ZONE 'UTC';
        PERFORM ensure_event_partition(m);
        UPDATE events SET recorded_at = m + make_interval(secs => position)
          WHERE position > i * ${EACH} AND position <= (i + 1) * ${EACH};
        INSERT INTO log_months VALUES (m, i * ${EACH} + 1);
      END LOOP; END $$`);
  });

  after(async () => {
    socket?.close();
    await appender?.finish();
    client?.close();
    await set?.end();
  });

  test('by default nothing goes, and a dry run tells what would', async () => {
    const kept = await get('/retention');
    assert.deepEqual([kept.configured_months, kept.months, kept.horizon, kept.dropped_months, kept.due_events],
      [0, 0, 1, 0, 0]);
    assert.deepEqual(kept.log.map((month) => [month.month, month.events, month.due]),
      [3, 2, 1, 0].map((n) => [monthAgo(n), EACH, false]));
    const plan = await get('/retention', {months: 1});
    assert.deepEqual(plan.log.map((month) => [month.month, month.first_position, month.last_position, month.due]),
      [3, 2, 1, 0].map((n, i) => [monthAgo(n), i * EACH + 1, (i + 1) * EACH, i < 2]));
    assert.deepEqual(plan.log.map((month) => month.holds), [[], [], [], []]);
    assert.equal(plan.due_events, 2 * EACH);
    assert.ok(plan.due_bytes > 0 && plan.log.every((month) => month.bytes > 0));
    const {code, out, err} = await god33('retention', 'plan', '--months', '1', '-o', 'json');
    assert.deepEqual([code, JSON.parse(out)], [0, plan], err);
    const table = (await god33('retention', 'plan', '--months', '2')).out;
    assert.match(table, new RegExp(`^${monthAgo(3)} +drop +1 +${EACH} +${EACH} `, 'm'));
    assert.match(table, new RegExp(`^${monthAgo(2)} +keep `, 'm'));
    assert.equal(json(await rest.get('/api/v1/retention', {months: 0}), 400).field, 'months');
    assert.equal(await database.value('SELECT count(*) FROM events'), 4 * EACH);
  });

  test('months go while services append, and a kill -9 in the middle leaves all or nothing', async (t) => {
    before_ = await stateOf();
    const page = (parameters) => get('/events', parameters);
    tokens = {
      asc: (await page({limit: 5})).next_page_token,
      kept: (await page({limit: HORIZON + 4})).next_page_token,
      desc: (await page({limit: 4 * EACH - 5, order: 'desc'})).next_page_token,
      timeline: (await get(`/workflows/${workflow}/timeline`, {limit: 3})).next_page_token,
    };
    await get(`/events/${events[0].event_id}`); // remembered

    // A long query keeps the month from going.
    const reader = new pg.Client({connectionString: set.urls.GOD33_READER_DATABASE_URL});
    await reader.connect();
    await reader.query('BEGIN; SELECT count(*) FROM events');
    await services.manager.stop();
    managers = [await set.manager(KEEPS_ONE, 'manager-1'), await set.manager(KEEPS_ONE, 'manager-2')];
    services.gateway.signal('SIGTERM');
    services.gateway = await set.gateway(managers[0], services.api);
    rest = new Rest(services.gateway.rest);
    client = await EventStoreClient.discover(managers[0].grpc);
    socket = await LiveSocket.open(services.gateway);
    await socket.until('it follows', ({frames}) => frames.some((frame) => frame.type === 'subscribed'));
    appender = new SteadyAppender(client, () => running().map((manager) => manager.grpc), {pauseMs: 5}).start();

    const job = () => database.row("SELECT phase, swap_attempts FROM projection_jobs WHERE state = 'running'");
    await until('it waits for the query', async () => (await job())?.phase === 'dropping' && (await job()).swap_attempts > 1,
      {within: 60_000});
    const leader = managers.find((manager) => manager.logLines().some((line) =>
      line.message === 'following the log' && line.cursor === 'projector'));
    await leader.kill();
    assert.equal(await database.value('SELECT min(position) FROM events'), 1);
    await reader.query('COMMIT');
    await reader.end();
    await until('both months are gone', async () =>
      (await database.value('SELECT max(last_position) FROM dropped_months')) === HORIZON - 1, {within: 60_000});
    assert.equal(await database.value('SELECT min(position) FROM events'), HORIZON);
    assert.equal(await database.value('SELECT count(*) FROM dropped_months'), 2);
    const [survivor] = running();
    assert.ok(survivor.logLines().some((line) => line.message === 'dropped a month of the log' &&
      line.month === monthAgo(2) && line.last_position === HORIZON - 1));
    assert.equal(await survivor.metric('god33_retention_horizon_position'), HORIZON);
    assert.ok((await survivor.metric('god33_retention_months_dropped_total')) >= 1);
    await until('the API knows', async () => (await services.api.metric('god33_log_horizon_position')) === HORIZON,
      {within: 2000});

    await leader.startAgain();
    await appender.finish();
    assert.deepEqual(appender.errors, []);
    assert.ok(appender.positions.size > 50);
    assert.ok(appender.longestMs < 5000, `${appender.longestMs} ms`);
    t.diagnostic(`longest append, with the kill: ${appender.longestMs} ms`);
    // Who is at the end notices nothing.
    const last = Math.max(...appender.positions.values());
    await socket.until('it has seen all', ({frames}) => frames.at(-1)?.position >= last);
    const seen = socket.of('event').map((frame) => frame.position);
    assert.deepEqual(seen, seen.map((_, i) => 4 * EACH + 1 + i));
    assert.equal(socket.closed, null);
    const plan = await get('/retention');
    assert.deepEqual([plan.horizon, plan.dropped_months, plan.due_events, plan.job.state, plan.job.month],
      [HORIZON, 2, 0, 'completed', monthAgo(2)]);
  });

  test('what is gone is answered 410, whatever way it is asked for', async () => {
    const [first] = events;
    await gone(`/events/${first.event_id}`, {}, 'event_id');
    await gone(`/events/${first.event_id}/descendants`, {}, 'event_id');
    await gone(`/events/${first.event_id}/ancestors`, {format: 'graph'}, 'event_id');
    await gone('/events', {limit: 5, page_token: tokens.asc}, 'page_token');
    await gone('/events', {limit: 5, order: 'desc', page_token: tokens.desc}, 'page_token');
    await gone(`/workflows/${workflow}/timeline`, {page_token: tokens.timeline}, 'page_token');
    await gone(`/workflows/${workflow}/state`, {at_position: HORIZON - 2}, 'at_position');
    await gone(`/workflows/${workflow}/state`, {at_time: `${monthAgo(3)}-15T00:00:00Z`}, 'at_time');
    await gone(PATH.replace('/api/v1', ''), {after: 0}, 'after');
    const replay = await rest.post('/api/v1/events/replay', JSON.stringify({from_position: 1, dry_run: true}));
    assert.deepEqual([json(replay, 410).reason, json(replay, 410).field], ['RETENTION', 'from_position']);
    const queries = await EventStoreClient.discover(services.api.grpc);
    await assert.rejects(queries.call('GetEvent', {event_id: first.event_id}),
      (error) => error.code === 'OUT_OF_RANGE' && error.reason === 'RETENTION' && error.metadata.horizon === String(HORIZON));
    queries.close();
    const cli = await god33('event', 'get', first.event_id);
    assert.equal(cli.code, 3);
    assert.match(cli.err, /RETENTION/);
  });

  test('lists begin at the horizon and say so', async () => {
    const list = await get('/events', {limit: 1000, workflow_id: workflow});
    assert.deepEqual([list.horizon, list.events.length, list.events[0].position, list.total], [HORIZON, 2 * EACH, HORIZON, 2 * EACH]);
    const back = await get('/events', {limit: 1000, workflow_id: workflow, order: 'desc'});
    assert.deepEqual(back.events.map((event) => event.position), list.events.map((event) => event.position).reverse());
    const all = await get('/events', {limit: 1});
    assert.deepEqual([all.events[0].position, all.horizon], [HORIZON, HORIZON]);
    assert.equal(all.total, all.position - HORIZON + 1);
    const timeline = await get(`/workflows/${workflow}/timeline`, {limit: 1000});
    assert.deepEqual([timeline.horizon, timeline.timeline.length], [HORIZON, 2 * EACH]);
    const kept = await get('/events', {limit: HORIZON + 4, page_token: tokens.kept});
    assert.equal(kept.events[0].position, HORIZON + 5);
    const replay = json(await rest.post('/api/v1/events/replay', JSON.stringify({workflow_id: workflow, dry_run: true})), 201);
    assert.deepEqual([replay.replay.from_position, replay.replay.total], [HORIZON, 2 * EACH]);
    // Of causes that are gone there are id and position.
    const up = await get(`/events/${events[HORIZON - 1].event_id}/ancestors`);
    assert.deepEqual(up.ancestors.map(({event}) => [event.event_id, event.position, event.event_type]),
      [[events[HORIZON - 2].event_id, HORIZON - 1, '']]);
  });

  test('its ids stay: the same event is a duplicate, another one with its id a conflict', async () => {
    const [first] = events;
    const again = json(await post(first), 201);
    assert.deepEqual([again.event_id, again.position, again.duplicate], [first.event_id, 1, true]);
    const conflict = json(await post({...first, payload: {...first.payload, to_agent: 'another'}}), 409);
    assert.equal(conflict.reason, 'ID_CONFLICT');
    assert.equal(await database.value('SELECT count(*) FROM event_ids WHERE event_id = $1', first.event_id), 1);
    // An effect of it belongs where it belonged.
    const child = canonical({event_type: 'a.b', correlation_ids: [first.event_id]});
    const {position} = json(await post(child), 201);
    const list = await get('/events', {workflow_id: workflow, limit: 1000, min_position: position});
    assert.equal(list.events.at(-1).event_id, child.event_id);
  });

  test('a stream that would begin below it says where it may', async () => {
    const behind = await LiveSocket.open(services.gateway);
    behind.say({type: 'subscribe', after: 5});
    const error = await behind.until('it is refused', ({frames}) => frames.find((frame) => frame.type === 'error'));
    assert.deepEqual([error.reason, error.position], ['RETENTION', HORIZON - 1]);
    behind.say({type: 'subscribe', filters: {workflow_id: workflow}, after: error.position});
    await behind.until('it goes on there', ({ids}) => ids.length >= 2 * EACH);
    assert.deepEqual(behind.ids.slice(0, 2 * EACH), events.slice(HORIZON - 1).map((event) => event.event_id));
    behind.close();
    const cli = await god33('event', 'stream', '--after', '0', '--max', '1');
    assert.equal(cli.code, 3);
    assert.match(cli.err, new RegExp(`begins at position ${HORIZON}`));
  });

  test('what was folded from it stays, is told of the past from its end on, and is what a rebuild gives', async () => {
    // The child that came last is in it, too.
    const [state] = await stateOf();
    assert.deepEqual([state.current_phase, state.current_agent, state.started_at],
      [before_[0].current_phase, before_[0].current_agent, before_[0].started_at]);
    const at = await get(`/workflows/${workflow}/state`, {at_position: 4 * EACH});
    assert.deepEqual(at, before_[0]);
    const there = await get(`/workflows/${workflow}/state`, {at_position: HORIZON - 1});
    assert.equal(there.version, HORIZON - 1);

    const verified = await god33('projection', 'verify', '-o', 'json');
    assert.equal(verified.code, 0, verified.out + verified.err);
    const rows = () => database.value(`SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
      SELECT w::text AS line FROM workflow_state AS w UNION ALL SELECT s::text FROM agent_sessions AS s) AS lines`);
    const live = await rows();
    const rebuilt = await god33('projection', 'rebuild', '-o', 'json');
    assert.equal(rebuilt.code, 0, rebuilt.out + rebuilt.err);
    assert.equal(JSON.parse(rebuilt.out).differing, 0);
    assert.equal(await rows(), live);
    assert.equal((await god33('projection', 'verify', '--workflow', workflow)).code, 0);
    assert.equal((await god33('projection', 'verify', '--session', session)).code, 0);
  });
});
