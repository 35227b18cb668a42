// The proxy between two that talk: what it lets through, loses and damages.

import assert from 'node:assert/strict';
import net from 'node:net';
import {after, before, describe, test} from 'node:test';
import {until} from '../e2e/support/wait.mjs';
import {Framing, PROTOCOLS} from './framing.mjs';
import {Proxy} from './proxy.mjs';
import {Random} from './random.mjs';

const frames = {
  amqp: (body) => Buffer.concat([Buffer.from([1, 0, 1, 0, 0, 0, body.length]), Buffer.from(body), Buffer.from([0xce])]),
  postgres: (body) => Buffer.concat([Buffer.from('D'), Buffer.from([0, 0, 0, body.length + 4]), Buffer.from(body)]),
  http2: (body) => Buffer.concat([Buffer.from([0, 0, body.length, 0, 0, 0, 0, 0, 1]), Buffer.from(body)]),
};
const openings = {amqp: Buffer.from('AMQP\0\0\x09\x01'), postgres: Buffer.from([0, 0, 0, 8, 0, 3, 0, 0]),
  http2: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')};

// The stream in pieces of random length, each passed; `damage(n)`: whether the nth may be damaged.
function passInPieces(framing, stream, random, damage) {
  const pieces = [];
  let damaged = 0;
  for (let at = 0, n = 0; at < stream.length; ++n) {
    const end = Math.min(stream.length, at + random.between(1, 40));
    const result = framing.pass(Buffer.from(stream.subarray(at, end)), damage(n));
    pieces.push(result.bytes);
    damaged += result.damaged;
    at = end;
  }
  return {bytes: Buffer.concat(pieces), damaged};
}

describe('frames', () => {
  const random = new Random(1);

  for (const name of Object.keys(PROTOCOLS)) {
    const bodies = Array.from({length: 200}, () => 'x'.repeat(random.between(0, 60)));
    const sent = {requests: Buffer.concat([openings[name], ...bodies.map(frames[name])]),
      answers: Buffer.concat(bodies.map(frames[name]))};
    for (const direction of ['requests', 'answers']) {
      test(`${name}: ${direction} pass as they are, in whatever pieces they come`, () => {
        for (let i = 0; i < 20; ++i) {
          const framing = new Framing(PROTOCOLS[name][direction]);
          const {bytes, damaged} = passInPieces(framing, sent[direction], random, () => false);
          assert.deepEqual(bytes, sent[direction]);
          assert.equal(damaged, 0);
        }
      });

      test(`${name}: damage of ${direction} is in the framing, never in the opening or a body`, () => {
        for (let i = 0; i < 20; ++i) {
          let done = false;
          const framing = new Framing(PROTOCOLS[name][direction]);
          const {bytes, damaged} = passInPieces(framing, sent[direction], random, (n) => {
            const now = n > 50 && !done;
            done ||= now;
            return now;
          });
          assert.equal(bytes.length, sent[direction].length);
          const changed = [...bytes.keys()].filter((at) => bytes[at] !== sent[direction][at]);
          assert.equal(changed.length > 0, damaged > 0);
          for (const at of changed) assert.notEqual(sent[direction][at], 'x'.charCodeAt(0));
        }
      });
    }
  }
});

describe('the proxy', () => {
  let server, proxy;

  before(async () => {
    server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.pipe(socket); // an echo
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = await Proxy.start('client>echo', null, () => ({host: '127.0.0.1', port: server.address().port}));
  });

  after(() => {
    proxy.end();
    server.close();
  });

  const connect = () => {
    const [host, port] = proxy.address.split(':');
    const socket = net.connect({host, port: Number(port)});
    const client = {socket, text: '', closed: false, say: (text) => socket.write(text)};
    socket.on('data', (data) => { client.text += data; });
    socket.on('error', () => {});
    socket.on('close', () => { client.closed = true; });
    return client;
  };

  const echoes = async (client, text) => {
    client.say(text);
    await until('it is echoed', () => client.text.endsWith(text));
  };

  test('lets everything through, and the end of a connection', async () => {
    const client = connect();
    await echoes(client, 'hello');
    const large = 'y'.repeat(3_000_000);
    await echoes(client, large);
    client.socket.end();
    await until('it is closed', () => client.closed);
  });

  test('resets all connections, and takes new ones', async () => {
    const client = connect();
    await echoes(client, 'hello');
    proxy.cut();
    await until('it is closed', () => client.closed);
    const other = connect();
    await echoes(other, 'hello again');
    other.socket.destroy();
  });

  test('refuses until it is healed', async () => {
    proxy.refusing = true;
    const client = connect();
    await until('it is closed', () => client.closed);
    proxy.heal();
    const other = connect();
    await echoes(other, 'hello');
    other.socket.destroy();
  });

  test('delays, and keeps the order when the delay is over', async () => {
    const client = connect();
    await echoes(client, 'hello');
    proxy.delay = 300;
    const began = Date.now();
    client.say('one');
    await until('the proxy has it', () => Date.now() > began + 50);
    assert.equal(client.text, 'hello');
    proxy.delay = 0;
    await echoes(client, 'two');
    assert.equal(client.text, 'helloonetwo');
    assert.ok(Date.now() - began >= 300);
    client.socket.destroy();
  });

  test('swallows, and resets what has lost bytes when it is healed', async () => {
    const client = connect();
    await echoes(client, 'hello');
    const idle = connect();
    await echoes(idle, 'hello');
    proxy.swallowing = 'answers';
    const began = Date.now();
    client.say('lost');
    await until('nothing came for a while', () => Date.now() > began + 200);
    assert.equal(client.text, 'hello');
    assert.equal(client.closed, false);
    assert.equal(proxy.heal(), 1);
    await until('it is closed', () => client.closed);
    await echoes(idle, 'still here');
    idle.socket.destroy();
  });
});
