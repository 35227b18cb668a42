// Clients of the live stream that stall, that vanish without a word, and a thousand of them at once.

import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import {after, before, describe, test} from 'node:test';
import {Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {canonical} from './support/events.mjs';
import {LiveSocket, PATH, query} from './support/live.mjs';
import {TestSet} from './support/set.mjs';
import {inTime, until} from './support/wait.mjs';

const STALL_MS = 1000;
const CLIENTS = 1000;

// Server-sent events, read only as far as somebody calls resume().
class SlowSource {
  text = '';
  ended = false;

  static open(gateway, parameters) {
    return new Promise((resolve, reject) => {
      http.get(`http://${gateway.rest}${PATH}${query(parameters)}`, (response) => {
        const source = new SlowSource();
        source.response = response.pause();
        response.on('data', (data) => { source.text += data; });
        response.on('end', () => { source.ended = true; });
        resolve(source);
      }).on('error', reject);
    });
  }

  // {event, id, data} of each block that has data.
  get blocks() {
    return this.text.split('\n\n').slice(0, -1).map((block) => Object.fromEntries(block.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 2)];
    }))).filter((block) => block.data).map((block) => ({...block, data: JSON.parse(block.data)}));
  }
}

// The opening of a WebSocket by a client that reads nothing after it and never answers a ping: what a
// gateway sees of a machine that was unplugged.
const vanished = (gateway, parameters = {}) => new Promise((resolve, reject) => {
  const [host, port] = gateway.rest.split(':');
  const socket = net.connect(Number(port), host, () => {
    socket.write(`GET ${PATH}${query(parameters)} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n`
      + `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  });
  socket.once('data', (data) => {
    socket.pause();
    if (data.toString('latin1').startsWith('HTTP/1.1 101 ')) resolve(socket);
    else reject(new Error(data.toString()));
  });
  socket.on('error', reject);
});

describe('clients of the live stream', () => {
  let set, services, database, publisher;
  let silent; // opened first, and looked after at the end: to be given up takes them a minute

  before(async () => {
    set = await TestSet.start('live_clients');
    services = await set.all({GOD33_STREAM_STALL_MS: String(STALL_MS)});
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    silent = {socket: await vanished(services.gateway, {event_type: 'nothing.comes'}), since: Date.now()};
  });

  after(async () => {
    silent?.socket.destroy();
    await publisher?.close();
    await set?.end();
  });

  const publish = (count, fields) => Promise.all(Array.from({length: count}, (_, n) => publisher.publishEvent(
    canonical({event_type: 'demo.live', payload: {n, sent: Date.now(), ...fields}}))));
  const lastPosition = async () => Number(await database.value('SELECT coalesce(max(position), 0) FROM event_ids'));
  const positions = (frames) => frames.map((frame) => frame.position);
  const upTo = (from, to) => Array.from({length: to - from}, (_, i) => from + 1 + i);

  test('stalled clients are cut off and told where to go on; fast ones beside them get everything', async () => {
    const EVENTS = 80;
    const from = await lastPosition();
    const slow = await LiveSocket.open(services.gateway, {after: from});
    slow.ws.pause();
    const source = await SlowSource.open(services.gateway, {after: from});
    const fast = await Promise.all(Array.from({length: 3}, () => LiveSocket.open(services.gateway, {after: from})));
    const cutOffs = await services.api.metric('god33_streams_cut_off_total');
    for (let i = 0; i < EVENTS; i += 10) await publish(10, {text: 'x'.repeat(300_000)});
    for (const socket of fast) {
      await socket.until('a fast one has all', () => socket.ids.length === EVENTS, {within: 30_000});
      assert.deepEqual(positions(socket.of('event')), upTo(from, from + EVENTS));
      assert.equal(socket.closed, null);
      socket.close();
    }
    await until('both are cut off', async () => await services.api.metric('god33_streams_cut_off_total') === cutOffs + 2,
      {within: 20_000});

    slow.ws.resume();
    await slow.until('it is closed', () => slow.closed);
    assert.equal(slow.closed.code, 1008);
    const [error] = slow.of('error');
    assert.equal(error.reason, 'SLOW_READER');
    const seen = slow.of('event');
    assert.ok(seen.length < EVENTS, `${seen.length}`);
    assert.equal(error.position, seen.at(-1)?.position ?? from);
    const rest = await LiveSocket.open(services.gateway, {after: error.position});
    await rest.until('it has the rest', () => seen.length + rest.ids.length === EVENTS, {within: 30_000});
    assert.deepEqual([...positions(seen), ...positions(rest.of('event'))], upTo(from, from + EVENTS));
    rest.close();

    source.response.resume();
    await until('it has ended', () => source.ended);
    const last = source.blocks.at(-1);
    assert.equal(last.event, 'error');
    assert.equal(last.data.reason, 'SLOW_READER');
    const events = source.blocks.filter((block) => block.event === 'event');
    assert.deepEqual(events.map((block) => Number(block.id)), upTo(from, last.data.position));
  });

  test('a thousand WebSockets on one gateway and one replica get an event soon', async (t) => {
    const began = Date.now();
    const sockets = [];
    for (let i = 0; i < CLIENTS; i += 100) {
      sockets.push(...await Promise.all(Array.from({length: 100},
        () => LiveSocket.open(services.gateway, {event_type: 'demo.live'}))));
    }
    await until('all are subscribed', () => sockets.every((socket) => socket.of('subscribed').length === 1), {within: 30_000});
    t.diagnostic(`${CLIENTS} connected in ${Date.now() - began} ms`);
    assert.ok(await services.gateway.metric('god33_live_connections') >= CLIENTS);
    const EVENTS = 5;
    for (let i = 1; i <= EVENTS; ++i) {
      await publish(1);
      await until('all have it', () => sockets.every((socket) => socket.ids.length === i), {within: 30_000});
    }
    const late = sockets.flatMap((socket) => socket.of('event').map((frame) => frame.at - frame.data.payload.sent))
      .sort((a, b) => a - b);
    const at = (fraction) => late[Math.floor(fraction * (late.length - 1))];
    t.diagnostic(`publish to client: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`);
    for (const socket of sockets) assert.deepEqual(positions(socket.of('event')), positions(sockets[0].of('event')));
    for (const socket of sockets) socket.close();
    await until('only the silent one is left', async () => await services.gateway.metric('god33_live_connections') === 1);
  });

  test('a client that has vanished is given up after a minute, and costs nothing from then on', async (t) => {
    await inTime('it is cut off', new Promise((resolve) => silent.socket.resume().once('close', resolve)), 90_000);
    t.diagnostic(`given up after ${Math.round((Date.now() - silent.since) / 1000)} s`);
    await until('it is gone', async () => await services.gateway.metric('god33_live_connections') === 0);
    await until('its stream, too', async () => await services.api.metric('god33_streams_open') === 0);
  });
});
