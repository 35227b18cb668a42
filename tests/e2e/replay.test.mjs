// Stored events are published again: the right ones, in order, at their rate, through kills, until cancelled.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {ForeignQueue, withChannel} from './support/bus.mjs';
import {canonicalText, EXCHANGE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {rawAt} from './support/raw_json.mjs';
import {Rest} from './support/rest.mjs';
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

  test('it can be switched off', async () => {
    const manager = await set.manager({ENABLE_EVENT_REPLAY: 'false'}, 'without-replay');
    const client = await EventStoreClient.discover(manager.grpc, 'god33.store.v1.ReplayService');
    await assert.rejects(client.call('StartReplay', {from_position: 1}), (error) => error.reason === 'REPLAY_DISABLED');
    client.close();
    await manager.stop();
  });
});
