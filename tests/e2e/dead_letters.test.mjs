// What can't be stored is set aside, whole and with its reason, and harms none of its neighbours.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {drain, Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {canonical, canonicalText, DEAD_LETTER_QUEUE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {publishWithPika} from './support/pika.mjs';
import {poison} from './support/poison.mjs';
import {generator} from './support/sample_log.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const random = generator(3);

function shuffle(list) {
  for (let i = list.length - 1; i > 0; --i) {
    const j = random(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

describe('dead letters', () => {
  let set, manager, database, publisher, client;
  let published = 0;
  const good = []; // events that have to be stored
  const bad = []; // messages that have to be set aside

  before(async () => {
    set = await TestSet.start('dead_letters');
    manager = await set.manager();
    await manager.untilHealthy();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    client = await EventStoreClient.discover(manager.grpc);
  });

  after(async () => {
    await publisher?.close();
    client?.close();
    await set?.end();
  });

  const publish = (message) => {
    ++published;
    return publisher.publish(message.routingKey, message.body, message.properties);
  };

  const goodMessage = () => {
    const event = canonical({event_type: 'agent.heartbeat', payload: {n: good.length}});
    good.push(event);
    return {routingKey: event.event_type, body: JSON.stringify(event), properties: {messageId: event.event_id}};
  };

  const count = (table) => database.value(`SELECT count(*) FROM ${table}`);

  // Until everything published has found its place.
  const allPlaced = () => until('stored + dead = published', async () => {
    const [events, letters] = [await count('events'), await count('dead_letters')];
    assert.ok(events + letters <= published, `${events} + ${letters} of ${published}`);
    return events + letters === published;
  }, {within: 60_000});

  const checkGood = async () => {
    const stored = await database.rows('SELECT event_id, payload::text FROM events');
    const payloads = new Map(stored.map((row) => [row.event_id, row.payload]));
    for (const event of good) assert.equal(payloads.get(event.event_id), JSON.stringify(event.payload));
    assert.equal(stored.length, good.length);
  };

  // The only row with these bytes.
  const rowOf = async (message) => {
    const rows = await database.rows('SELECT * FROM dead_letters WHERE body = $1', message.body);
    assert.equal(rows.length, 1, message.kind);
    return rows[0];
  };

  test('each kind of poison is one row with its reason, and every good message around it is stored', async () => {
    bad.push(...poison(client));
    const messages = shuffle([...bad, ...Array.from({length: 300}, goodMessage)]);
    await Promise.all(messages.map(publish));
    await allPlaced();
    await checkGood();
    for (const message of bad) {
      const row = await rowOf(message);
      assert.equal(row.reason, message.reason, `${message.kind}: ${row.detail}`);
      assert.ok(row.detail.length > 0, message.kind);
      assert.equal(row.routing_key, message.routingKey);
      assert.equal(row.exchange, 'bloodbank.events.v1');
      assert.equal(row.properties.content_type, message.properties?.contentType ?? 'application/json');
    }
  });

  test('the first event with an id stays, another one with that id is set aside', async () => {
    const first = canonical({payload: {n: 1}});
    good.push(first);
    const changed = (fields) => ({kind: JSON.stringify(fields), reason: 'id_conflict', routingKey: first.event_type,
      body: Buffer.from(JSON.stringify({...first, ...fields}))});
    const conflicts = [changed({payload: {n: 2}}), changed({event_type: 'other.type'}),
      changed({timestamp: '2026-01-27T10:00:00.123457Z'}), changed({version: '1.0.1'}),
      changed({correlation_ids: [randomUUID()]}), changed({payload: {n: 1, more: null}}),
      // As numbers these differ from nothing a double can tell apart.
      changed({payload: {n: 1.0000000000000002}})];
    bad.push(...conflicts);
    await Promise.all([{routingKey: first.event_type, body: JSON.stringify(first)}, ...conflicts].map(publish));
    await allPlaced();
    await checkGood();
    for (const message of conflicts) {
      const row = await rowOf(message);
      assert.equal(row.reason, 'id_conflict', message.kind);
      assert.equal(row.event_id, first.event_id);
    }
  });

  test('odd but sound messages are stored', async () => {
    const odd = [
      canonical({source: {host: 'a\u0000b', type: '\u0000', app: '', meta: {'\u0000': '\u0000'}}}),
      canonical({agent_context: {type: '\u0000', name: '\ud800', instance_id: 'x'.repeat(300)},
        payload: {agent_id: '\u0000'}}),
      canonical({payload: {workflow_id: 'no uuid', session_id: 7, collaboration_id: null, project_name: '\u0000'}}),
      canonical({payload: {project_name: 'p'.repeat(5000), checkpoint_id: 'c'.repeat(5000)}}),
      canonical({event_type: `${'a'.repeat(127)}.${'b'.repeat(127)}`}),
      canonical({timestamp: '0001-01-01T00:00:00Z'}),
      canonical({timestamp: '9999-12-31T23:59:59.999999Z'}),
      canonical({correlation_ids: Array.from({length: 1000}, () => randomUUID())}),
    ];
    good.push(...odd);
    await Promise.all(odd.map((event) => publish({routingKey: event.event_type, body: JSON.stringify(event)})));
    const deep = canonical({payload: JSON.parse('{"a":'.repeat(900) + '1' + '}'.repeat(900))});
    good.push(deep);
    await publish({routingKey: deep.event_type, body: JSON.stringify(deep)});
    // Its fields are found in the properties of whatever comes with it.
    const laden = canonical();
    good.push(laden);
    await publish({routingKey: laden.event_type, body: JSON.stringify(laden), properties: {
      headers: {a: {b: [1, {c: 'd'}], n: 2 ** 40}, t: true, none: null, bytes: Buffer.from([0xff, 0x00]),
        long: 'h'.repeat(10_000)},
      appId: 'x', userId: 'god33', type: 't', timestamp: 1769508000, expiration: '60000', priority: 3,
    }});
    await allPlaced();
    await checkGood();
  });

  test('what only the database refuses is tried three times and then set aside, alone', async () => {
    // A routing key that is no UTF-8 can't be stored as text, whatever the body is.
    const under = (kind, reason, attempts, body) =>
      ({kind, reason, attempts, body: Buffer.from(body), routingKey: 'a.\ufffd'});
    const letters = [
      under('a sound event under a broken key', 'store_failed', 3, JSON.stringify(canonical())),
      under('an unreadable body under a broken key', 'unreadable', 1, [0x7b, 0xff, 0xfe]),
    ];
    bad.push(...letters);
    const before = Array.from({length: 50}, goodMessage);
    const behind = Array.from({length: 50}, goodMessage);
    await Promise.all(before.map(publish));
    published += letters.length;
    const confirmed = await publishWithPika(set.urls.RABBITMQ_URL, letters.map((letter) =>
      ({routing_key_hex: '612eff', body_hex: letter.body.toString('hex')})));
    assert.equal(confirmed, letters.length);
    await Promise.all(behind.map(publish));
    await allPlaced();
    await checkGood();
    for (const letter of letters) {
      const row = await rowOf(letter);
      assert.deepEqual([row.reason, row.attempts, row.routing_key],
        [letter.reason, letter.attempts, letter.routingKey]);
    }
  });

  test('kills in the middle leave one row for each', async () => {
    const messages = [];
    for (let i = 0; i < 600; ++i) {
      if (i % 3 !== 0) {
        messages.push(goodMessage());
        continue;
      }
      const kind = `poison ${i}`;
      const message = {kind, routingKey: 'a.b', body: Buffer.from(kind), reason: 'unreadable'};
      bad.push(message);
      messages.push(message);
    }
    for (let round = 0; round < 3; ++round) {
      const stored = await count('events');
      const part = messages.slice(round * 200, (round + 1) * 200);
      const confirmed = Promise.all(part.map(publish));
      await until('it has begun', async () => (await count('events')) > stored, {every: 1});
      await manager.kill();
      await confirmed;
      await manager.start();
    }
    await allPlaced();
    await checkGood();
    for (const message of bad) await rowOf(message);
  });

  test('a copy of each is in the dead letter queue, with its bytes and why it is there', async () => {
    await until('all are copied', async () =>
      (await database.value('SELECT count(*) FROM dead_letters WHERE copied_at IS NULL')) === 0, {within: 30_000});
    const copies = await drain(set.urls.RABBITMQ_URL, DEAD_LETTER_QUEUE);
    const byBody = new Map(copies.map((copy) => [copy.content.toString('latin1'), copy]));
    assert.equal(byBody.size, bad.length);
    for (const message of bad) {
      const copy = byBody.get(message.body.toString('latin1'));
      assert.ok(copy, message.kind);
      const {headers} = copy.properties;
      assert.equal(headers['x-god33-reason'], message.reason, message.kind);
      assert.equal(headers['x-god33-routing-key'], message.routingKey);
      assert.equal(headers['x-god33-attempts'], String(message.attempts ?? 1));
      assert.ok(headers['x-god33-detail'].length > 0);
      assert.ok(Number(headers['x-god33-dead-letter-id']) > 0);
      assert.equal(copy.properties.deliveryMode, 2);
    }
  });

  test('the manager has never crashed by itself, and counts what it set aside', async () => {
    assert.ok(manager.running);
    assert.equal((await manager.health()).code, 200);
    const one = {routingKey: 'a.b', body: Buffer.from('one more'), kind: 'one more', reason: 'unreadable'};
    const before = await manager.metric('god33_dead_letters_total{reason="unreadable"}');
    await publish(one);
    await allPlaced();
    await until('it is counted', async () =>
      (await manager.metric('god33_dead_letters_total{reason="unreadable"}')) === before + 1);
  });
});
