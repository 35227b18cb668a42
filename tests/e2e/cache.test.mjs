// Answers from memory: counted, never stale for who passes a position, the same bytes as without a cache, and
// given up when the database is away.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {EventStoreClient} from './support/grpc.mjs';
import {Rest} from './support/rest.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const HIT = (cache) => `god33_cache_hits_total{cache="${cache}"}`;

describe('answers from memory', () => {
  let set, manager, api, second, bare, gateways, rests, writer, reader, secondReader;

  before(async () => {
    set = await TestSet.start('cache');
    manager = await set.manager();
    api = await set.api();
    second = await set.api({}, 'second-api');
    bare = await set.api({GOD33_CACHE_MIB: '0'}, 'bare-api');
    gateways = [await set.gateway(manager, api), await set.gateway(manager, bare)];
    for (const service of [manager, api, second, bare, ...gateways]) await service.untilHealthy();
    rests = gateways.map((gateway) => new Rest(gateway.rest));
    writer = await EventStoreClient.discover(manager.grpc);
    reader = await EventStoreClient.discover(api.grpc);
    secondReader = reader.at(second.grpc);
  });

  after(async () => {
    for (const client of [writer, reader, secondReader]) client?.close();
    await set?.end();
  });

  const append = (type, payload) => writer.call('AppendEvent',
    {event: {event_type: type, payload: {text: JSON.stringify(payload)}}});

  test('what is asked for again is counted as found', async () => {
    const [workflow_id, session_id] = [randomUUID(), randomUUID()];
    const {event_id, position} = await append('agent.letta.checkpoint.saved', {workflow_id, session_id, checkpoint_id: 'c'});
    const ask = {
      event: () => reader.call('GetEvent', {event_id, min_position: position}),
      workflow: () => reader.call('GetWorkflow', {workflow_id, min_position: position}),
      session: () => reader.call('GetSession', {session_id, min_position: position}),
    };
    for (const [cache, get] of Object.entries(ask)) {
      const first = await get();
      const before = await api.metric(HIT(cache));
      await until(`${cache} is found in memory`, async () => {
        assert.deepEqual((await get())[cache], first[cache]);
        return (await api.metric(HIT(cache))) > before;
      });
      assert.ok((await api.metric(`god33_cache_entries{cache="${cache}"}`)) >= 1);
    }
    // The state of now is the workflow.
    const before = await api.metric(HIT('workflow'));
    const state = await reader.call('GetWorkflowState', {workflow_id});
    assert.equal(await api.metric(HIT('workflow')), before + 1);
    assert.ok(Number(state.position) >= Number(position));
    for (let page = 0; page < 2; ++page) await reader.call('GetDescendants', {event_id});
    assert.ok((await api.metric(HIT('causation'))) >= 1);
    assert.ok((await api.metric('god33_cache_bytes')) > 0);
    assert.equal(await bare.metric('god33_cache_entries'), 0);
  });

  test('with and without a cache the bytes and tags are the same', async () => {
    const [workflow_id, session_id] = [randomUUID(), randomUUID()];
    const {event_id, position} = await append('agent.letta.checkpoint.saved',
      {workflow_id, session_id, checkpoint_id: 'ü', context_snapshot: {n: 1e20}});
    for (const path of [`events/${event_id}`, `workflows/${workflow_id}`, `workflows/${workflow_id}/state`, `agents/${session_id}`]) {
      const parameters = {min_position: position};
      const plain = await rests[1].get(`/api/v1/${path}`, parameters);
      assert.equal(plain.status, 200, plain.text);
      const before = await api.metric('god33_cache_hits_total');
      await until(`${path} comes from memory`, async () => {
        const cached = await rests[0].get(`/api/v1/${path}`, parameters);
        assert.equal(cached.text, plain.text);
        assert.equal(cached.headers.etag, plain.headers.etag);
        return (await api.metric('god33_cache_hits_total')) > before;
      });
    }
    for (const path of ['events/x', 'workflows/x', 'agents/', `events/${randomUUID()}`, `workflows/${randomUUID()}`]) {
      const [cached, plain] = await Promise.all(rests.map((rest) => rest.get(`/api/v1/${path}`)));
      assert.deepEqual([cached.status, JSON.parse(cached.text).reason], [plain.status, JSON.parse(plain.text).reason]);
    }
  });

  test('own writes are seen at both replicas, hundreds of times, while others ask', async () => {
    const workflow_id = randomUUID();
    let over = false;
    const others = [reader, secondReader].map(async (client) => {
      while (!over) await client.call('GetWorkflow', {workflow_id}).catch((error) => assert.equal(error.code, 'NOT_FOUND'));
    });
    for (let written = 1; written <= 300; ++written) {
      const {position} = await append('a.b', {workflow_id, written});
      const client = written % 2 ? reader : secondReader;
      const {workflow, position: stated} = await client.call('GetWorkflow', {workflow_id, min_position: position});
      assert.equal(workflow.version, String(written));
      assert.ok(Number(stated) >= Number(position));
    }
    over = true;
    await Promise.all(others);
  });

  test('an idle tail is never taken for lost', async () => {
    const {event_id} = await append('a.b', {});
    await reader.call('GetEvent', {event_id});
    const before = await api.metric('god33_cache_bypasses_total{reason="tail"}');
    const end = Date.now() + 3000;
    await until('three seconds have passed', async () => {
      await reader.call('GetEvent', {event_id});
      return Date.now() > end;
    });
    assert.equal(await api.metric('god33_cache_bypasses_total{reason="tail"}'), before);
  });

  test('when the database is away memory is given up within a second, and used again when it is back', async () => {
    const {event_id} = await append('a.b', {});
    await until('it is found in memory', async () => {
      await reader.call('GetEvent', {event_id});
      return (await api.metric(HIT('event'))) > 0;
    });
    await set.servers.stopServer('postgres');
    const began = Date.now();
    await until('it is asked of the database', () => reader.call('GetEvent', {event_id})
      .then(() => false, (error) => error.reason === 'DATABASE_UNAVAILABLE'), {within: 20_000});
    assert.ok(Date.now() - began < 5000);
    assert.ok((await api.metric('god33_cache_bypasses_total{reason="tail"}')) > 0);
    await set.servers.startServer('postgres');
    await until('it is answered again', () => reader.call('GetEvent', {event_id}).then(() => true, () => false), {within: 30_000});
    const before = await api.metric(HIT('event'));
    await until('memory is used again', async () => {
      await reader.call('GetEvent', {event_id});
      return (await api.metric(HIT('event'))) > before;
    }, {within: 30_000});
  });
});
