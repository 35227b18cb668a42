// What people do with dead letters: look, mend, send back, drop; by REST, gRPC and command line.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {ForeignQueue, Publisher, withChannel} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical, QUEUE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {poison} from './support/poison.mjs';
import {rawAt} from './support/raw_json.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const LETTERS = '/api/v1/dead-letters';
const KINDS = ['no JSON', 'zeros', 'invalid UTF-8 in a string', 'no type', 'no time', 'a payload that is an array',
  'protobuf that is none', 'a day that does not exist'];

describe('dead letter actions', () => {
  let set, services, database, rest, store, letters, publisher, foreign;

  before(async () => {
    set = await TestSet.start('dead_letter_actions');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    rest = new Rest(services.gateway.rest);
    store = await EventStoreClient.discover(services.manager.grpc);
    letters = await EventStoreClient.discover(services.manager.grpc, 'god33.store.v1.DeadLetterService');
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    foreign = await ForeignQueue.bind(set.urls.RABBITMQ_URL);
  });

  after(async () => {
    await foreign?.close();
    await publisher?.close();
    letters?.close();
    store?.close();
    await set?.end();
  });

  const god33 = async (args, input) => {
    const end = await run(executable('god33'), ['dlq', ...args],
      {env: {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc}, input, timeout: 60_000});
    return {code: end.code, bytes: end.stdout, out: end.stdout.toString(), err: end.stderr};
  };

  const rowsWhere = (condition, ...values) =>
    database.rows(`SELECT * FROM dead_letters WHERE ${condition} ORDER BY dead_letter_id`, ...values);
  const count = (condition, ...values) =>
    database.value(`SELECT count(*) FROM dead_letters WHERE ${condition}`, ...values);
  const row = async (id) => (await rowsWhere('dead_letter_id = $1', id))[0];

  // Publishes bodies that can't be stored, and returns their rows.
  const setAside = async (bodies, key = 'a.b') => {
    const marked = bodies.map((body) => Buffer.from(body));
    await Promise.all(marked.map((body) => publisher.publish(key, body)));
    return until('they are set aside', async () => {
      const rows = await rowsWhere('body = ANY($1) AND routing_key = $2', marked, key);
      return rows.length === bodies.length && rows;
    });
  };

  // Dead letters that came of sending this one back.
  const comeOf = (id) => rowsWhere("properties #>> '{headers,x-god33-dead-letter-id}' = $1", String(id));

  const stored = (id) => until(`${id} is stored`, () => database.value('SELECT true FROM events WHERE event_id = $1', id));

  const get = async (target, parameters) => {
    const answer = await rest.get(target, parameters);
    return {...answer, json: JSON.parse(answer.text)};
  };
  const post = async (target, body) => {
    const answer = await rest.post(target, JSON.stringify(body));
    return {...answer, json: JSON.parse(answer.text)};
  };

  test('poison of several kinds is listed, filtered and paged alike by REST, gRPC and command line', async () => {
    const bad = poison(store).filter((message) => KINDS.includes(message.kind));
    assert.equal(bad.length, KINDS.length);
    for (const message of bad) await publisher.publish(message.routingKey, message.body, message.properties);
    const rows = await until('all are set aside', async () => {
      const all = await rowsWhere('true');
      return all.length === bad.length && all;
    });
    const newestFirst = (of) => of.map((one) => one.dead_letter_id).reverse();

    const all = await get(LETTERS);
    assert.equal(all.status, 200);
    assert.deepEqual(all.json.dead_letters.map((one) => one.dead_letter_id), newestFirst(rows));
    assert.deepEqual([all.json.total, all.json.total_exact, all.json.next_page_token], [rows.length, true, '']);
    for (const letter of all.json.dead_letters) {
      const at = rows.find((one) => one.dead_letter_id === letter.dead_letter_id);
      assert.deepEqual([letter.reason, letter.state, letter.body_size, letter.body, letter.decoded, letter.event_id],
        [at.reason, 'open', at.body.length, '', null, null]);
      assert.equal(letter.exchange, 'bloodbank.events.v1');
      assert.deepEqual(letter.properties, at.properties);
    }

    const unreadable = rows.filter((one) => one.reason === 'unreadable');
    const filtered = await get(LETTERS, {reason: 'unreadable'});
    assert.deepEqual(filtered.json.dead_letters.map((one) => one.dead_letter_id), newestFirst(unreadable));

    const paged = [];
    let token = '';
    do {
      const page = await get(LETTERS, {limit: 3, page_token: token});
      assert.equal(page.json.total, rows.length);
      paged.push(...page.json.dead_letters.map((one) => one.dead_letter_id));
      token = page.json.next_page_token;
    } while (token !== '');
    assert.deepEqual(paged, newestFirst(rows));

    const byGrpc = await letters.call('ListDeadLetters', {reason: 'unreadable', limit: 2});
    assert.deepEqual(byGrpc.dead_letters.map((one) => Number(one.dead_letter_id)), newestFirst(unreadable).slice(0, 2));
    const byTool = await god33(['list', '--all', '--limit', '2', '-o', 'jsonl']);
    assert.equal(byTool.code, 0, byTool.err);
    assert.deepEqual(byTool.out.trim().split('\n').map((line) => JSON.parse(line).dead_letter_id), newestFirst(rows));

    const middle = rows[4].recorded_at.toISOString();
    const since = (await get(LETTERS, {since: middle})).json.dead_letters.length;
    const untilThen = (await get(LETTERS, {until: middle})).json.dead_letters.length;
    assert.equal(since + untilThen, rows.length);
    assert.deepEqual((await get(LETTERS, {routing_key: 'nobody'})).json.dead_letters, []);
    for (const [name, value] of [['state', 'x'], ['limit', '0'], ['event_type', 'a..b'], ['reason', ''], ['page_token', 'x']]) {
      const refused = await get(LETTERS, {[name]: value});
      assert.deepEqual([refused.status, refused.json.field], [400, name]);
    }
  });

  test('one is shown whole: its bytes on every surface, and decoded if it is JSON', async () => {
    for (const {dead_letter_id: id, body, reason} of await rowsWhere('true')) {
      const shown = await get(`${LETTERS}/${id}`);
      assert.equal(shown.status, 200);
      assert.ok(Buffer.from(shown.json.body, 'base64').equals(body));
      if (reason === 'invalid_envelope') assert.deepEqual(shown.json.decoded, JSON.parse(body.toString()));
      const byGrpc = await letters.call('GetDeadLetter', {dead_letter_id: id});
      assert.ok(Buffer.from(byGrpc.dead_letter.body).equals(body));
      const raw = await god33(['show', String(id), '--raw']);
      assert.equal(raw.code, 0, raw.err);
      assert.ok(raw.bytes.equals(body));
    }
    const digits = '{"event_type":"a.b","n":12345678901234567890.10}';
    const [{dead_letter_id: id}] = await setAside([digits]);
    assert.equal(rawAt((await rest.get(`${LETTERS}/${id}`)).text, 'decoded'), digits);
    assert.match((await god33(['show', String(id)])).out, /12345678901234567890\.10/);
    const missing = await get(`${LETTERS}/999999`);
    assert.deepEqual([missing.status, missing.json.reason], [404, 'DEAD_LETTER_NOT_FOUND']);
    assert.equal((await god33(['show', '999999'])).code, 3);
  });

  test('an edited one is stored, whoever sends it back; its row keeps the untouched bytes', async () => {
    const broken = () => JSON.stringify({...canonical({event_type: 'agent.task'}), payload: [1]});
    const bodies = [broken(), broken(), broken()];
    const [one, two, three] = await setAside(bodies, 'agent.task');
    const mended = (at) => ({...JSON.parse(at.body.toString()), payload: {mended: true}});

    const dry = await post(`${LETTERS}/${one.dead_letter_id}/send-back`, {edited: mended(one), dry_run: true});
    assert.deepEqual([dry.status, dry.json.verdict], [200, '']);
    const dryUnedited = await post(`${LETTERS}/${one.dead_letter_id}/send-back`, {dry_run: true});
    assert.match(dryUnedited.json.verdict, /^invalid_envelope: .*payload/);
    assert.equal((await row(one.dead_letter_id)).state, 'open');

    const sent = await post(`${LETTERS}/${one.dead_letter_id}/send-back`, {edited: mended(one)});
    assert.equal(sent.status, 200, sent.text);
    assert.deepEqual([sent.json.dead_letter.state, sent.json.dead_letter.times_sent_back], ['sent_back', 1]);
    await letters.call('SendBackDeadLetter', {dead_letter_id: two.dead_letter_id,
      edited_bytes: Buffer.from(JSON.stringify(mended(two)))});
    const byTool = await god33(['send-back', String(three.dead_letter_id), '--edit', '-'], JSON.stringify(mended(three)));
    assert.equal(byTool.code, 0, byTool.err);

    for (const at of [one, two, three]) {
      const {event_id: id} = mended(at);
      await stored(id);
      assert.equal(await database.value('SELECT payload::text FROM events WHERE event_id = $1', id), '{"mended":true}');
      const now = await row(at.dead_letter_id);
      assert.equal(now.state, 'sent_back');
      assert.ok(now.sent_back_at !== null);
      assert.ok(now.body.equals(at.body));
      assert.deepEqual(await comeOf(at.dead_letter_id), []);
    }
    // Everybody on the bus has seen it, with what it had and who sent it.
    const [seen] = foreign.messages.filter((message) =>
      message.properties.headers['x-god33-dead-letter-id'] === String(one.dead_letter_id));
    assert.equal(seen.fields.routingKey, 'agent.task');
    assert.equal(seen.properties.deliveryMode, 2);
    assert.equal(seen.properties.contentType, 'application/json');
    assert.equal(seen.properties.headers['x-god33-sent-back'], '1');
    assert.equal(seen.properties.correlationId, one.properties.correlation_id);

    const twice = await post(`${LETTERS}/${one.dead_letter_id}/send-back`, {});
    assert.deepEqual([twice.status, twice.json.reason], [400, 'ALREADY_SENT_BACK']);
    assert.equal((await god33(['send-back', String(one.dead_letter_id)])).code, 4);
    const both = await post(`${LETTERS}/${one.dead_letter_id}/send-back`, {edited: {}, edited_bytes: 'aGk='});
    assert.deepEqual([both.status, both.json.field], [400, 'edited_bytes']);
  });

  test('a dry run knows an id that is taken', async () => {
    const first = canonical({event_type: 'agent.task', payload: {n: 1}});
    await publisher.publishEvent(first);
    await stored(first.event_id);
    const [conflict] = await setAside([JSON.stringify({...first, payload: {n: 2}})], 'agent.task');
    assert.equal(conflict.reason, 'id_conflict');
    const dry = await god33(['send-back', String(conflict.dead_letter_id), '--dry-run']);
    assert.match(dry.out, /id_conflict/);
    const file = path.join(set.directory, 'mended.json');
    writeFileSync(file, JSON.stringify({...first, event_id: randomUUID(), payload: {n: 2}}));
    const mended = await god33(['send-back', String(conflict.dead_letter_id), '--edit', `@${file}`, '--dry-run']);
    assert.match(mended.out, /would be stored/);
    const byType = await get(LETTERS, {event_type: 'agent.*', reason: 'id_conflict'});
    assert.deepEqual(byType.json.dead_letters.map((one) => one.dead_letter_id), [conflict.dead_letter_id]);
    assert.equal((await row(conflict.dead_letter_id)).state, 'open');
  });

  test('one that is sent back as it is fails again, visibly, each time', async () => {
    const [{dead_letter_id: id}] = await setAside(['never any JSON']);
    await letters.call('SendBackDeadLetter', {dead_letter_id: id});
    const [first] = await until('it is a new dead letter', async () => {
      const rows = await comeOf(id);
      return rows.length === 1 && rows;
    });
    assert.deepEqual([first.reason, first.state, first.body.toString()], ['unreadable', 'open', 'never any JSON']);
    assert.equal((await god33(['send-back', String(id), '--again'])).code, 0);
    await until('and another', async () => (await comeOf(id)).length === 2);
    assert.equal((await row(id)).times_sent_back, 2);
    await letters.call('SendBackDeadLetter', {dead_letter_id: first.dead_letter_id});
    await until('its own comes of it', async () => (await comeOf(first.dead_letter_id)).length === 1);
    assert.equal((await comeOf(id)).length, 2);
  });

  test('two who send the same one back at once send it once', async () => {
    const [{dead_letter_id: id}] = await setAside(['one for two']);
    const outcomes = await Promise.allSettled(
      Array.from({length: 4}, () => letters.call('SendBackDeadLetter', {dead_letter_id: id})));
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.reason, 'ALREADY_SENT_BACK');
    }
    await until('it came back', async () => (await comeOf(id)).length === 1);
    assert.equal((await row(id)).times_sent_back, 1);
  });

  test('all that match are sent back at a rate, oldest first; a dry run sends none', async () => {
    const rows = await setAside(Array.from({length: 30}, (_, i) => `bulk ${i}`), 'bulk.key');
    const filter = {routing_key: 'bulk.key'};
    const dry = await post(`${LETTERS}:send-back`, {filter, dry_run: true});
    assert.deepEqual([dry.status, dry.json], [200, {matched: 30, sent_back: 0, readable: 0, unroutable: 0}]);
    assert.equal(await count("routing_key = 'bulk.key' AND state = 'open'"), 30);

    const unasked = await god33(['send-back', '--all-matching', '--routing-key', 'bulk.key']);
    assert.equal(unasked.code, 2);
    assert.match(unasked.err, /30 dead letters.*--yes/);
    assert.equal(await count("routing_key = 'bulk.key' AND state = 'open'"), 30);

    const began = Date.now();
    const sent = await post(`${LETTERS}:send-back`, {filter, rate: 10, limit: 20});
    const seconds = (Date.now() - began) / 1000;
    assert.deepEqual([sent.status, sent.json], [200, {matched: 20, sent_back: 20, readable: 0, unroutable: 0}]);
    assert.ok(seconds > 1.7 && seconds < 10, `20 at 10 a second took ${seconds} s`);
    const ids = rows.sort((a, b) => a.recorded_at - b.recorded_at || a.dead_letter_id - b.dead_letter_id)
      .map((one) => one.dead_letter_id);
    const done = (await rowsWhere("routing_key = 'bulk.key' AND state = 'sent_back'")).map((one) => one.dead_letter_id);
    assert.deepEqual(done, ids.slice(0, 20).sort((a, b) => a - b));
    await until('each came back', async () => (await count("routing_key = 'bulk.key'")) === 50);

    // What comes back meanwhile is left for the next time.
    const rest10 = await god33(['send-back', '--all-matching', '--routing-key', 'bulk.key', '--yes', '-o', 'json']);
    assert.equal(rest10.code, 0, rest10.err);
    assert.equal(JSON.parse(rest10.out).sent_back, 30);
  });

  test('a caller who goes away stops it; what was done stays done', async () => {
    await setAside(Array.from({length: 10}, (_, i) => `gone ${i}`), 'gone.key');
    await assert.rejects(letters.call('SendBackDeadLetters', {filter: {routing_key: 'gone.key'}, rate: 2},
      {deadline: 1500}), (error) => error.code === 'DEADLINE_EXCEEDED');
    const done = await until('it has stopped', async () => {
      const lines = services.manager.logLines().filter((line) => line.message === 'dead letters were sent back');
      return lines.find((line) => /the caller has gone/.test(line.error)) && count("state = 'sent_back' AND routing_key = 'gone.key'");
    });
    assert.ok(done >= 2 && done <= 5, `${done} were sent back`);
  });

  test('dropping marks, once and for good', async () => {
    const [{dead_letter_id: id}] = await setAside(['drop me']);
    const dry = await god33(['drop', String(id), '--dry-run']);
    assert.equal(dry.code, 0);
    assert.equal((await row(id)).state, 'open');
    const dropped = await post(`${LETTERS}/${id}/drop`, {});
    assert.deepEqual([dropped.status, dropped.json.dead_letter.state], [200, 'dropped']);
    const again = await letters.call('DropDeadLetter', {dead_letter_id: id});
    assert.equal(again.dead_letter.state, 'dropped');
    assert.deepEqual((await row(id)).dropped_at.toISOString().slice(0, 19), dropped.json.dead_letter.dropped_at.slice(0, 19));
    const back = await post(`${LETTERS}/${id}/send-back`, {again: true});
    assert.deepEqual([back.status, back.json.reason], [400, 'DROPPED']);
    assert.equal((await god33(['drop', '999999'])).code, 3);
    assert.equal((await post(`${LETTERS}/999999/drop`, {})).status, 404);

    await setAside(['many 1', 'many 2', 'many 3'], 'drop.key');
    const filter = {routing_key: 'drop.key'};
    assert.equal((await post(`${LETTERS}:drop`, {filter, dry_run: true})).json.matched, 3);
    assert.equal(await count("routing_key = 'drop.key' AND state = 'open'"), 3);
    assert.equal((await god33(['drop', '--all-matching', '--routing-key', 'drop.key', '--limit', '2', '--yes'])).code, 0);
    assert.deepEqual((await post(`${LETTERS}:drop`, {filter})).json, {matched: 1, dropped: 1});
    assert.equal(await count("routing_key = 'drop.key' AND state = 'dropped'"), 3);
    assert.ok(await services.manager.metric('god33_dead_letters_dropped_total') >= 4);
    assert.ok(await services.manager.metric('god33_dead_letters_sent_back_total') >= 50);
    const badState = await post(`${LETTERS}:drop`, {filter: {state: 'sent_back'}});
    assert.deepEqual([badState.status, badState.json.field], [400, 'filter.state']);
  });

  test('where it came from is gone, or nothing is bound there: an error, and nothing is marked', async () => {
    const [elsewhere, key] = ['elsewhere', 'elsewhere.key'];
    await withChannel(set.urls.RABBITMQ_URL, async (channel) => {
      await channel.assertExchange(elsewhere, 'topic', {durable: true});
      await channel.bindQueue(QUEUE, elsewhere, '#');
      channel.publish(elsewhere, key, Buffer.from('from elsewhere'));
      await until('it is set aside', async () => (await count('exchange = $1', elsewhere)) === 1);
      await channel.unbindQueue(QUEUE, elsewhere, '#');
    });
    const [{dead_letter_id: id}] = await rowsWhere('exchange = $1', elsewhere);
    const unbound = await post(`${LETTERS}/${id}/send-back`, {});
    assert.deepEqual([unbound.status, unbound.json.reason], [400, 'UNROUTABLE']);
    await withChannel(set.urls.RABBITMQ_URL, (channel) => channel.deleteExchange(elsewhere));
    const gone = await post(`${LETTERS}/${id}/send-back`, {});
    assert.deepEqual([gone.status, gone.json.reason], [400, 'EXCHANGE_NOT_FOUND']);
    assert.equal((await god33(['send-back', String(id)])).code, 1);
    const many = await post(`${LETTERS}:send-back`, {filter: {routing_key: key}});
    assert.deepEqual(many.json, {matched: 1, sent_back: 0, readable: 0, unroutable: 1});
    assert.deepEqual([(await row(id)).state, (await row(id)).times_sent_back], ['open', 0]);
  });

  test('without a broker nothing is marked, and looking goes on', async () => {
    const [{dead_letter_id: id}] = await setAside(['no broker'], 'away.key');
    await foreign.close();
    await publisher.close();
    await set.servers.stopServer('rabbitmq');
    const away = await post(`${LETTERS}/${id}/send-back`, {});
    assert.deepEqual([away.status, away.json.reason], [503, 'BROKER_UNAVAILABLE']);
    await assert.rejects(letters.call('SendBackDeadLetters', {filter: {routing_key: 'away.key'}}),
      (error) => error.code === 'UNAVAILABLE' && error.reason === 'BROKER_UNAVAILABLE' && /after 0 were/.test(error.message));
    assert.equal((await god33(['send-back', String(id)])).code, 5);
    assert.deepEqual([(await row(id)).state, (await row(id)).times_sent_back], ['open', 0]);
    assert.equal((await get(`${LETTERS}/${id}`)).status, 200);
    await set.servers.startServer('rabbitmq');
    await services.manager.untilHealthy();
    assert.equal((await post(`${LETTERS}/${id}/send-back`, {})).status, 200);
    await until('it came back', async () => (await comeOf(id)).length === 1);
  });

  test('a manager that stops ends what goes through many', async () => {
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    await setAside(Array.from({length: 20}, (_, i) => `stop ${i}`), 'stop.key');
    const call = letters.call('SendBackDeadLetters', {filter: {routing_key: 'stop.key'}, rate: 1}, {deadline: 60_000});
    const ended = assert.rejects(call, (error) => error.code === 'UNAVAILABLE');
    await until('it has begun', async () => (await count("routing_key = 'stop.key' AND state = 'sent_back'")) > 0);
    const {code, ms} = await services.manager.stop();
    await ended;
    assert.equal(code, 0);
    assert.ok(ms < 8000, `it took ${ms} ms to stop`);
    assert.ok(await count("routing_key = 'stop.key' AND state = 'open'") > 10);
  });
});
