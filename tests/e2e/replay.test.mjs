// Stored events are published again: the right ones, in order, at their rate, through kills, until cancelled.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {ForeignQueue, withChannel} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonicalText, EXCHANGE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Process} from './support/process.mjs';
import {rawAt} from './support/raw_json.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const REPLAY_EXCHANGE = 'bloodbank.replay.v1';
const EVENTS = 300;

describe('replay', () => {
  let set, services, rest, queue;
  const workflow = randomUUID();
  const ids = []; // of the workflow's events

  before(async () => {
    set = await TestSet.start('replay');
    services = await set.all();
    rest = new Rest(services.gateway.rest);
    queue = await ForeignQueue.bind(set.urls.RABBITMQ_URL, {name: 'replayed', exchange: REPLAY_EXCHANGE});
    for (let i = 0; i < EVENTS; ++i) {
      const id = randomUUID();
      ids.push(id);
      texts.push(canonicalText({event_id: id, event_type: `step.t${i % 3}`, correlation_ids: i > 0 ? [ids[0]] : []},
        `{"workflow_id":"${workflow}","n":${i},"big":123456789012345678901234567890}`));
    }
    texts.push(canonicalText({event_type: 'other.thing'}, '{"big":1.10}'));
    const response = await rest.post('/api/v1/events', `[${texts.join(',')}]`);
    assert.equal(response.status, 201, response.text);
  });

  const texts = [];

  after(async () => {
    await queue?.close();
    await set?.end();
  });

  const post = (path, body) => rest.post(path, JSON.stringify(body));

  const start = async (body) => {
    const response = await post('/api/v1/events/replay', body);
    assert.equal(response.status, 201, response.text);
    return JSON.parse(response.text).replay;
  };

  const get = async (id) => JSON.parse((await rest.get(`/api/v1/replays/${id}`)).text);

  const ended = (id, options) => until(`replay ${id} has ended`, async () => {
    const replay = await get(id);
    return replay.state !== 'running' && replay;
  }, {within: 30_000, ...options});

  const messagesOf = (id) => queue.messages.filter((message) => message.properties.headers['x-replay-id'] === id);

  const environment = () => ({
    ...BASE_ENVIRONMENT,
    GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc,
  });

  // {code, out, err}
  const god33 = async (...args) => {
    const end = await run(executable('god33'), ['event', 'replay', ...args], {env: environment(), timeout: 60_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const watched = (...args) => Process.start(executable('god33'), ['event', 'replay', ...args], environment());

  const refused = async (body, field, status = 400) => {
    const response = await post('/api/v1/events/replay', body);
    assert.equal(response.status, status, response.text);
    const problem = JSON.parse(response.text);
    assert.equal(problem.field, field, problem.detail);
    return problem;
  };

  test('a workflow is published again, in order, as it was', async () => {
    const {replay_id: id, total, total_exact: exact} = await start({workflow_id: workflow, rate: 10000});
    assert.deepEqual([total, exact], [EVENTS, true]);
    const replay = await ended(id);
    assert.deepEqual([replay.state, replay.published, replay.unroutable, replay.error],
      ['completed', EVENTS, 0, '']);
    await until('all have come', () => messagesOf(id).length === EVENTS);
    const messages = messagesOf(id);
    assert.deepEqual(messages.map((message) => message.properties.messageId), ids);
    assert.deepEqual(messages.map((message) => message.properties.headers['x-god33-position']),
      ids.map((_, i) => String(i + 1)));
    const text = messages[7].content.toString();
    assert.equal(rawAt(text, 'payload'), rawAt(texts[7], 'payload'), 'digit for digit');
    assert.equal(messages[7].fields.routingKey, 'step.t1');
    assert.equal(messages[7].properties.deliveryMode, 2);
  });

  test('types, parents and positions narrow it', async () => {
    const idsOf = async (body) => {
      const {replay_id: id, total} = await start({rate: 10000, ...body});
      const {published} = await ended(id);
      assert.equal(published, total);
      await until('all have come', () => messagesOf(id).length === published);
      return messagesOf(id).map((message) => message.properties.messageId);
    };
    assert.deepEqual(await idsOf({event_types: ['step.t1']}), ids.filter((_, i) => i % 3 === 1));
    assert.deepEqual(await idsOf({correlation_id: ids[0], event_types: ['*.t2']}), ids.filter((_, i) => i % 3 === 2));
    assert.deepEqual(await idsOf({from_position: 10, to_position: 12}), ids.slice(9, 12));
    assert.deepEqual(await idsOf({workflow_id: workflow, from_position: EVENTS}), ids.slice(-1));
    assert.deepEqual(await idsOf({workflow_id: randomUUID()}), []);
    assert.deepEqual(await idsOf({end_time: '2026-01-27T10:00:00Z'}), []);
    assert.equal((await idsOf({start_time: '2026-01-27T10:00:00.123456Z'})).length, EVENTS + 1);
  });

  test('a dry run counts and publishes nothing', async () => {
    const before = queue.messages.length;
    const replay = await start({workflow_id: workflow, dry_run: true});
    assert.deepEqual([replay.replay_id, replay.state, replay.total], ['', '', EVENTS]);
    assert.equal(queue.messages.length, before);
  });

  test('god33 waits for the end of the replay it has started, and prints it', async () => {
    const {code, out, err} = await god33('--workflow', workflow, '--type', 'step.t1', '--rate', '10000', '-o', 'json');
    assert.equal(code, 0, err);
    const replay = JSON.parse(out);
    assert.equal(out.trimEnd(), (await rest.get(`/api/v1/replays/${replay.replay_id}`)).text, 'as REST answers');
    assert.deepEqual([replay.state, replay.published], ['completed', EVENTS / 3]);
    await until('all have come', () => messagesOf(replay.replay_id).length === EVENTS / 3);
    assert.match((await god33('get', replay.replay_id)).out, /--type step\.t1/);
    const {out: table} = await god33('--from-position', '1', '--to-position', '3', '--rate', '10000');
    assert.match(table, /^[0-9a-f-]{36} completed: 3 of 3 published on bloodbank\.replay\.v1/);
  });

  test('god33 tells what a dry run would do, and publishes nothing', async () => {
    const before = queue.messages.length;
    assert.equal((await god33('--workflow', workflow, '--dry-run')).out,
      `${EVENTS} events would be published on ${REPLAY_EXCHANGE}; at 100 a second that takes 3s\n`);
    assert.equal(JSON.parse((await god33('--workflow', workflow, '--dry-run', '-o', 'json')).out).total, EVENTS);
    assert.equal(queue.messages.length, before);
  });

  test('it keeps its rate, and ends when it is cancelled', async () => {
    const {replay_id: id} = await start({workflow_id: workflow, rate: 20});
    const began = Date.now();
    await until('some are published', async () => (await get(id)).published >= 20);
    assert.ok(Date.now() - began > 500, 'twenty take about a second');
    const cancelled = JSON.parse((await post(`/api/v1/replays/${id}/cancel`, {})).text);
    assert.equal(cancelled.state, 'cancelled');
    const {published} = await get(id);
    assert.ok(published < EVENTS);
    assert.equal(JSON.parse((await post(`/api/v1/replays/${id}/cancel`, {})).text).published, published);
    const {replays} = JSON.parse((await rest.get('/api/v1/replays', {state: 'cancelled'})).text);
    assert.deepEqual(replays.map((replay) => replay.replay_id), [id]);
  });

  test('a manager that is killed is followed by the next one, without a gap', async () => {
    const {replay_id: id} = await start({workflow_id: workflow, rate: 150});
    await until('it is under way', async () => (await get(id)).published >= 60);
    await services.manager.kill();
    await services.manager.startAgain();
    await services.manager.untilHealthy();
    const replay = await until('it has ended', async () => {
      const response = await rest.get(`/api/v1/replays/${id}`);
      return response.status === 200 && JSON.parse(response.text).state !== 'running' && JSON.parse(response.text);
    }, {within: 30_000});
    assert.equal(replay.state, 'completed');
    await until('all have come', () => new Set(messagesOf(id).map((message) => message.properties.messageId)).size === EVENTS);
    const first = [...new Set(messagesOf(id).map((message) => message.properties.messageId))];
    assert.deepEqual(first, ids, 'in order, at least once');
  });

  test('it waits for the broker and goes on', async () => {
    const {replay_id: id} = await start({workflow_id: workflow, rate: 100});
    await until('it is under way', async () => (await get(id)).published > 0);
    await set.servers.restartServer('rabbitmq');
    const replay = await ended(id);
    assert.deepEqual([replay.state, replay.published >= EVENTS], ['completed', true]);
  });

  test('a clock that is set back does not hold it up', async () => {
    const {replay_id: id} = await start({workflow_id: workflow, rate: 100});
    await until('it has begun', async () => (await get(id)).published > 0);
    // As if the clock had been an hour ahead when the last step was saved.
    await new Database(set.urls.GOD33_ADMIN_DATABASE_URL).rows(`
      UPDATE replays SET updated_at = updated_at + interval '1 hour', next_at = next_at + interval '1 hour'
      WHERE replay_id = $1`, id);
    assert.equal((await ended(id)).published, EVENTS);
  });

  test('events that nobody takes are counted', async () => {
    const exchange = `nobody.listens.${randomUUID()}`;
    const {replay_id: id} = await start({from_position: 1, to_position: 5, exchange});
    const {published, unroutable} = await ended(id);
    assert.deepEqual([published, unroutable], [5, 5]);
    await withChannel(set.urls.RABBITMQ_URL, (channel) => channel.deleteExchange(exchange));
  });

  test('an exchange of another kind fails it, with the reason', async () => {
    await withChannel(set.urls.RABBITMQ_URL, (channel) => channel.assertExchange('a.fanout', 'fanout', {durable: true}));
    const {replay_id: id} = await start({from_position: 1, to_position: 5, exchange: 'a.fanout'});
    const {state, error} = await ended(id);
    assert.equal(state, 'failed');
    assert.match(error, /a\.fanout/);
  });

  test("Bloodbank's own exchange is used only when asked for, and nothing is stored again", async () => {
    await refused({from_position: 1, exchange: EXCHANGE}, 'live');
    await refused({from_position: 1, live: true}, 'live');
    const duplicates = await services.manager.metric('god33_events_duplicate_total');
    const {replay_id: id} = await start({from_position: 1, to_position: 3, exchange: EXCHANGE, live: true});
    assert.equal((await ended(id)).state, 'completed');
    await until('the manager knows them', async () =>
      (await services.manager.metric('god33_events_duplicate_total')) === duplicates + 3);
  });

  test('what can\'t be is refused by name', async () => {
    await refused({}, undefined);
    await refused({workflow_id: 'x'}, 'workflow_id');
    await refused({correlation_id: 'x'}, 'correlation_id');
    await refused({event_types: ['a..b']}, 'event_types');
    await refused({from_position: 0}, 'from_position');
    await refused({from_position: 5, to_position: 4}, 'to_position');
    await refused({to_position: 999999}, 'to_position');
    await refused({from_position: 1, rate: 0}, 'rate');
    await refused({from_position: 1, exchange: ''}, 'exchange');
    await refused({from_position: 1, start_time: 'soon'}, 'start_time');
    assert.equal((await rest.get(`/api/v1/replays/${randomUUID()}`)).status, 404);
    assert.equal((await rest.get('/api/v1/replays/x')).status, 400);
    assert.equal((await rest.get('/api/v1/replays', {state: 'x'})).status, 400);
    assert.equal((await rest.get('/api/v1/replays', {limit: 0})).status, 400);
  });

  // ---- god33 event replay

  test('god33 detaches, waits again, lists and cancels', async () => {
    const id = (await god33('--workflow', workflow, '--rate', '20', '--detach')).out.trim();
    const waiting = watched('wait', id);
    await until('it is under way', async () => (await get(id)).published > 0);
    waiting.signal('SIGINT');
    assert.equal((await waiting.exited).code, 1);
    assert.match(waiting.err, /INTERRUPTED/);
    assert.equal((await get(id)).state, 'running', 'waiting ends, the replay goes on');

    const listed = await god33('list', '--state', 'running', '-o', 'jsonl');
    assert.deepEqual(listed.out.trimEnd().split('\n').map((line) => JSON.parse(line).replay_id), [id]);
    const cancelled = await god33('cancel', id, '-o', 'json');
    assert.deepEqual([cancelled.code, JSON.parse(cancelled.out).state], [0, 'cancelled']);
    const end = await god33('wait', id, '-o', 'json');
    assert.deepEqual([end.code, JSON.parse(end.out).state], [1, 'cancelled']);
    assert.match(end.err, /REPLAY_CANCELLED/);
  });

  test('Ctrl-C cancels the replay that god33 has started', async () => {
    const replaying = watched('--workflow', workflow, '--rate', '20', '-o', 'json');
    const [, id] = await until('it has begun', () => replaying.err.match(/Replay ([0-9a-f-]{36})/));
    await until('it is under way', async () => (await get(id)).published > 0);
    replaying.signal('SIGINT');
    assert.equal((await replaying.exited).code, 1);
    assert.equal(JSON.parse(replaying.out).state, 'cancelled');
    assert.equal((await get(id)).state, 'cancelled');
  });

  test('god33 that is killed leaves the replay alone', async () => {
    const replaying = watched('--workflow', workflow, '--rate', '200');
    const [, id] = await until('it has begun', () => replaying.err.match(/Replay ([0-9a-f-]{36})/));
    replaying.signal('SIGKILL');
    await replaying.exited;
    assert.equal((await ended(id)).state, 'completed');
  });

  test('god33 goes on waiting when the manager is restarted', async () => {
    const replaying = watched('--workflow', workflow, '--rate', '100', '-o', 'json');
    const [, id] = await until('it has begun', () => replaying.err.match(/Replay ([0-9a-f-]{36})/));
    await until('it is under way', async () => (await get(id)).published > 0);
    await services.manager.kill();
    await until('it says so', () => /asking again/.test(replaying.err));
    await services.manager.startAgain();
    await services.manager.untilHealthy();
    assert.equal((await replaying.exited).code, 0, replaying.err);
    assert.equal(JSON.parse(replaying.out).state, 'completed');
  });

  test('god33 fails with a replay that fails, and says why', async () => {
    const {code, out, err} = await god33('--from-position', '1', '--to-position', '5', '--exchange', 'a.fanout');
    assert.equal(code, 1);
    assert.match(out, /failed/);
    assert.match(err, /a\.fanout.*REPLAY_FAILED/);
  });

  test("god33 asks before it uses Bloodbank's own exchange", async () => {
    const unasked = await god33('--from-position', '1', '--to-position', '3', '--live');
    assert.deepEqual([unasked.code, unasked.out], [2, '']);
    assert.match(unasked.err, /3 events again on bloodbank\.events\.v1.*--yes/);
    const count = async () => (await god33('list', '-o', 'jsonl')).out.split('\n').length;
    const before = await count();
    const terminal = await run('/usr/bin/script',
      ['-qec', `${executable('god33')} event replay --from-position 1 --to-position 3 --live`, '/dev/null'],
      {env: environment(), input: 'n\n'});
    assert.match(terminal.stdout.toString(), /Go on\? \[y\/N\].*NOT_CONFIRMED_BY_USER/s);
    assert.equal(terminal.code, 1);
    assert.equal(await count(), before, 'nothing was started');
    const {code, out} = await god33('--from-position', '1', '--to-position', '3', '--live', '--yes', '-o', 'json');
    assert.equal(code, 0);
    assert.deepEqual([JSON.parse(out).exchange, JSON.parse(out).published], [EXCHANGE, 3]);
  });

  test('god33 says what is wrong with an order for a replay', async () => {
    const missing = await god33('get', randomUUID());
    assert.equal(missing.code, 3);
    assert.match(missing.err, /REPLAY_NOT_FOUND/);
    assert.equal((await god33('cancel', randomUUID())).code, 3);
    const late = await god33('--to-position', '999999');
    assert.equal(late.code, 2);
    assert.match(late.err, /the log's newest/);
    const own = await god33('--from-position', '1', '--exchange', EXCHANGE);
    assert.equal(own.code, 2);
    assert.match(own.err, /live/);
  });

  test('it can be switched off', async () => {
    const manager = await set.manager({ENABLE_EVENT_REPLAY: 'false'}, 'without-replay');
    const client = await EventStoreClient.discover(manager.grpc, 'god33.store.v1.ReplayService');
    await assert.rejects(client.call('StartReplay', {from_position: 1}), (error) => error.reason === 'REPLAY_DISABLED');
    client.close();
    await manager.stop();
  });
});
