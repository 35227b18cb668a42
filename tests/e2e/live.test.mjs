// Who follows the log live, by WebSocket or as server-sent events, sees what the store has: all of it, once,
// in order, also after the connection or a service behind it was lost.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {LiveSocket, LiveSource, PATH, query} from './support/live.mjs';
import {Rest} from './support/rest.mjs';
import {TestSet} from './support/set.mjs';
import {inTime, pause, until} from './support/wait.mjs';

const PUSH_MS = 500; // seed 002, story 009

describe('live events', () => {
  let set, services, database, publisher, rest;

  before(async () => {
    set = await TestSet.start('live');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    rest = new Rest(services.gateway.rest);
  });

  after(async () => {
    await publisher?.close();
    await set?.end();
  });

  const publish = async (count, fields = () => ({})) => {
    const events = Array.from({length: count}, (_, n) => canonical({payload: {n}, ...fields(n)}));
    await Promise.all(events.map((event) => publisher.publishEvent(event)));
    return events.map((event) => event.event_id);
  };
  const lastPosition = async () => Number(await database.value('SELECT coalesce(max(position), 0) FROM event_ids'));
  const storedBehind = async (position) => (await database.rows(
    'SELECT event_id, position FROM event_ids WHERE position > $1 ORDER BY position', position));
  const sorted = (ids) => [...ids].sort();

  // Goes on publishing until it is stopped; returns what stops it.
  const load = () => {
    let running = true;
    const done = (async () => {
      while (running) {
        await publish(20);
        await pause(20);
      }
    })();
    return async () => {
      running = false;
      await done;
    };
  };

  const sameAsStored = async (events, from) => {
    const stored = await storedBehind(from);
    assert.deepEqual(events.map((event) => event.position), stored.map((row) => row.position));
    assert.deepEqual(events.map((event) => event.data.event_id), stored.map((row) => row.event_id));
  };

  test('an event is pushed within half a second of its commit', async () => {
    const socket = await LiveSocket.open(services.gateway);
    await socket.until('it is subscribed', () => socket.of('subscribed').length === 1);
    for (let i = 0; i < 20; ++i) {
      await publish(5);
      await pause(10);
    }
    await socket.until('all came', () => socket.ids.length === 100);
    const late = socket.of('event').map((frame) => frame.at - Date.parse(frame.data.recorded_at)).sort((a, b) => a - b);
    console.log(`pushed after ${late[50]} ms (median), ${late[99]} ms (longest)`);
    assert.ok(late[99] < PUSH_MS, `${late[99]} ms`);
    const frame = socket.of('event')[0];
    assert.deepEqual(frame.envelope, frame.data);
    const response = await rest.get(`/api/v1/events/${frame.data.event_id}`);
    assert.deepEqual(frame.data, JSON.parse(response.text).event ?? JSON.parse(response.text));
    socket.close();
  });

  test('filters by query', async () => {
    const workflow = randomUUID();
    const socket = await LiveSocket.open(services.gateway,
      {event_type: 'bmad.workflow.*', workflow_id: workflow, after: await lastPosition()});
    const member = (type) => () => ({event_type: type, payload: {workflow_id: workflow, phase: 'analysis'}});
    await publish(1, member('agent.tool.invoked'));
    await publish(1, () => ({event_type: 'bmad.workflow.started', payload: {workflow_id: randomUUID()}}));
    const wanted = await publish(1, member('bmad.workflow.started'));
    await socket.until('it came', () => socket.ids.length === 1);
    assert.deepEqual(socket.ids, wanted);
    socket.close();
  });

  test('a subscribe frame replaces the filters', async () => {
    const socket = await LiveSocket.open(services.gateway, {event_type: 'nothing.like.this'});
    const before = await lastPosition();
    socket.say({type: 'subscribe', filters: {event_types: ['one.*', 'two.*']}, after: before});
    await socket.until('it is answered', () => socket.of('subscribed').length === 2);
    assert.equal(socket.of('subscribed')[1].position, before);
    const [, two, one] = [...await publish(1, () => ({event_type: 'three.x'})),
      ...await publish(1, () => ({event_type: 'two.x'})), ...await publish(1, () => ({event_type: 'one.x'}))];
    await socket.until('both came', () => socket.ids.length === 2);
    assert.deepEqual(sorted(socket.ids), sorted([one, two]));
    socket.say({type: 'ping'});
    socket.say('what?');
    await socket.until('both are answered', () => socket.of('error').length === 1 && socket.of('pong').length === 1);
    assert.equal(socket.closed, null);
    socket.close();
  });

  test('what is asked for wrongly is refused by name', async () => {
    for (const [parameters, field] of [[{evnt: 'x'}, 'evnt'], [{after: 'x'}, 'after'], [{workflow_id: 'x'}, 'workflow_id']]) {
      await assert.rejects(LiveSocket.open(services.gateway, parameters), (error) => {
        assert.equal(error.status, 400);
        assert.equal(JSON.parse(error.body).field, field);
        return true;
      });
      const response = await rest.get(PATH, parameters);
      assert.equal(response.status, 400);
      assert.equal(JSON.parse(response.text).field, field);
    }
  });

  test('curl reads server-sent events', async () => {
    const before = await lastPosition();
    const ids = await publish(3);
    const curl = spawn('curl', ['--silent', '--no-buffer', '--include',
      `http://${services.gateway.rest}${PATH}${query({after: before})}`], {env: BASE_ENVIRONMENT});
    let output = '';
    curl.stdout.on('data', (data) => { output += data; });
    await until('all came', () => ids.every((id) => output.includes(id)));
    curl.kill();
    assert.match(output, /^HTTP\/1.1 200 OK\r\n/);
    assert.match(output, /\r\nContent-Type: text\/event-stream; charset=utf-8\r\n/);
    assert.match(output, /\nretry: 1000\n/);
    assert.match(output, new RegExp(`\\nid: ${before + 1}\\nevent: event\\ndata: \\{"type":"event","position":${before + 1},`));
  });

  test('an EventSource that loses gateways under load sees the store\'s sequence', async () => {
    const from = await lastPosition();
    const source = new LiveSource(services.gateway, {after: from});
    const stop = load();
    for (let round = 0; round < 3; ++round) {
      const seen = source.events.length;
      await until('events come', () => source.events.length > seen + 100, {within: 30_000});
      if (round === 1) await services.gateway.stop();
      else await services.gateway.kill();
      await services.gateway.startAgain();
    }
    await until('it has connected again', () => source.opened >= 4, {within: 30_000});
    await stop();
    const last = () => source.events.at(-1)?.position;
    await until('all came', async () => last() === await lastPosition(), {within: 30_000});
    source.close();
    console.log(`${source.events.length} events over ${source.opened} connections`);
    await sameAsStored(source.events, from);
    assert.deepEqual(source.events.map((event) => event.id), source.positions);
  });

  test('an event-store-api that restarts is not noticed', async () => {
    const from = await lastPosition();
    const socket = await LiveSocket.open(services.gateway, {after: from});
    const stop = load();
    for (let round = 0; round < 2; ++round) {
      const seen = socket.ids.length;
      await socket.until('events come', () => socket.ids.length > seen + 50, {within: 30_000});
      if (round === 0) await services.api.stop();
      else await services.api.kill();
      await services.api.startAgain();
    }
    const seen = socket.ids.length;
    await socket.until('events come again', () => socket.ids.length > seen + 50, {within: 30_000});
    await stop();
    await until('all came', async () => socket.frames.at(-1).position === await lastPosition(), {within: 30_000});
    assert.equal(socket.closed, null);
    assert.equal(socket.of('subscribed').length, 1);
    await sameAsStored(socket.of('event'), from);
    socket.close();
  });

  test('a slow client harms no fast one, and can go on where it was', async () => {
    const from = await lastPosition();
    const slow = await LiveSocket.open(services.gateway, {after: from});
    slow.ws.pause();
    const fast = await Promise.all(Array.from({length: 5}, () => LiveSocket.open(services.gateway, {after: from})));
    const text = 'x'.repeat(50_000);
    for (let i = 0; i < 30; ++i) await publish(10, (n) => ({payload: {n, text}}));
    for (const socket of fast) {
      await socket.until('a fast one has all', () => socket.ids.length === 300, {within: 30_000});
      await sameAsStored(socket.of('event'), from);
      socket.close();
    }
    slow.ws.resume();
    await slow.until('the slow one has all or is closed', () => slow.ids.length === 300 || slow.closed, {within: 30_000});
    const events = slow.of('event');
    if (slow.closed) {
      const rest = await LiveSocket.open(services.gateway, {after: slow.frames.at(-1).position});
      await rest.until('it has the rest', () => events.length + rest.ids.length === 300, {within: 30_000});
      events.push(...rest.of('event'));
      rest.close();
    }
    await sameAsStored(events, from);
    slow.close();
  });

  test('replicas that are killed or frozen are not noticed', async () => {
    const replicas = [services.api, await set.api()];
    await replicas[1].untilHealthy();
    const gateway = await set.service('gateway', {
      GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc,
      GOD33_EVENT_STORE_API_ADDR: `ipv4:${replicas.map((replica) => replica.grpc).join(',')}`,
    }, 'gateway-2').start();
    const from = await lastPosition();
    const sockets = await Promise.all(Array.from({length: 4}, () => LiveSocket.open(gateway, {after: from})));
    const stop = load();
    const allGetMore = async () => {
      const seen = sockets.map((socket) => socket.ids.length);
      const began = Date.now();
      await until('all get more', () => sockets.every((socket, i) => socket.ids.length > seen[i] + 20), {within: 60_000});
      return Date.now() - began;
    };
    await allGetMore();
    await replicas[0].kill();
    console.log(`${await allGetMore()} ms after a kill all go on`);
    await replicas[0].startAgain();
    await replicas[0].untilHealthy();
    replicas[1].signal('SIGSTOP');
    console.log(`${await allGetMore()} ms after a freeze all go on`);
    await stop();
    replicas[1].signal('SIGCONT');
    for (const socket of sockets) {
      await until('all came', async () => socket.frames.at(-1).position === await lastPosition(), {within: 30_000});
      assert.equal(socket.closed, null);
      await sameAsStored(socket.of('event'), from);
      socket.close();
    }
    await gateway.stop();
  });

  test('SIGTERM closes all connections with 1001, within seconds', async () => {
    const sockets = await Promise.all(Array.from({length: 10}, () => LiveSocket.open(services.gateway)));
    const sources = Array.from({length: 10}, () => new LiveSource(services.gateway));
    await until('all are open', () => sources.every((source) => source.opened === 1));
    const {code, ms} = await services.gateway.stop();
    assert.equal(code, 0);
    console.log(`the gateway stopped in ${ms} ms`);
    assert.ok(ms < 5000, `${ms} ms`);
    for (const socket of sockets) {
      await inTime('it is closed', until('it is closed', () => socket.closed));
      assert.equal(socket.closed.code, 1001);
    }
    for (const source of sources) source.close();
  });
});
