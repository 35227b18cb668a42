// Live streams: whatever happens to a client, a replica or PostgreSQL, who resumes at his last position
// sees exactly the sequence of the store.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Process} from './support/process.mjs';
import {TestSet} from './support/set.mjs';
import {StreamReader} from './support/stream_reader.mjs';
import {inTime, pause, until} from './support/wait.mjs';

const WORKFLOWS = Array.from({length: 4}, () => randomUUID());
const TYPES = ['demo.a.started', 'demo.a.done', 'demo.b'];
const pick = (list) => list[Math.floor(Math.random() * list.length)];

const EXPECTED = `
  SELECT position FROM events AS e WHERE position > $1 AND ($2::text IS NULL OR event_type ~ $2)
    AND ($3::text IS NULL OR agent_id = $3) ORDER BY position`;
const EXPECTED_OF_WORKFLOW = `
  SELECT position FROM memberships WHERE kind = 'w' AND group_id = $1 AND since > $2 ORDER BY since, position`;

describe('live streams', () => {
  let set, database, manager, apis, client, replicas;

  before(async () => {
    set = await TestSet.start('stream');
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    manager = await set.manager();
    // A small memory, so that streams fall behind and catch up all the time.
    const environment = {GOD33_STREAM_HEARTBEAT_MS: '300', GOD33_STREAM_EVENTS: '200', GOD33_STREAM_STALL_MS: '1000'};
    apis = [await set.api(environment, 'api-1'), await set.api(environment, 'api-2')];
    for (const service of [manager, ...apis]) await service.untilHealthy();
    client = await EventStoreClient.discover(manager.grpc);
    replicas = apis.map((api) => ({api, client: client.at(api.grpc)}));
  });

  after(async () => {
    for (const {client: replica} of replicas ?? []) replica.close();
    client?.close();
    await set?.end();
  });

  const running = () => replicas.filter(({api}) => api.running).map((replica) => replica.client);
  const head = () => database.value('SELECT max(position) FROM event_ids');
  const settled = (position) => until('late parents are worked off', async () =>
    (await database.value("SELECT position FROM cursors WHERE name = 'projector'")) >= position, {within: 30_000});

  const newEvent = (fields = {}) => {
    const payload = {agent_id: `agent-${Math.floor(Math.random() * 3)}`, sent: Date.now(), ...fields.payload};
    return {event_id: fields.id ?? randomUUID(), event_type: fields.type ?? pick(TYPES),
      correlation_ids: fields.parents ?? [], payload: {text: JSON.stringify(payload)},
      timestamp: {seconds: Math.floor(Date.now() / 1000), nanos: 0}};
  };

  // Through faults, too: an id that is taken by the same event is a duplicate.
  const append = async (events) => {
    for (;;) {
      try {
        return await client.call('AppendEvents', {events}, {deadline: 5000});
      } catch (error) {
        if (!['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'].includes(error.code)) throw error;
        await pause(50);
      }
    }
  };

  // Appends until told to stop; some children before their parents.
  class Load {
    start(writers) {
      this.running = true;
      this.done = Promise.all(Array.from({length: writers}, () => this.write()));
      return this;
    }

    async write() {
      const owed = [];
      while (this.running || owed.length > 0) {
        const events = Array.from({length: 1 + Math.floor(Math.random() * 20)}, () => {
          const payload = Math.random() < 0.3 ? {workflow_id: pick(WORKFLOWS)} : {};
          if (Math.random() < 0.1) {
            owed.push(randomUUID());
            return newEvent({payload, parents: [owed.at(-1)]});
          }
          if (owed.length > 0 && Math.random() < 0.5) {
            return newEvent({id: owed.shift(), payload: {workflow_id: pick(WORKFLOWS)}});
          }
          return newEvent({payload});
        });
        await append(events);
        await pause(5);
      }
    }

    finish() {
      this.running = false;
      return this.done;
    }
  }

  const readers = () => {
    const all = [
      {request: {}, after: 0},
      {request: {event_types: ['demo.a.*']}, after: 0},
      {request: {agent_id: 'agent-1', event_types: ['demo.b', 'x.*']}, after: 0},
      {request: {workflow_id: WORKFLOWS[0]}, after: 0},
      {request: {workflow_id: WORKFLOWS[1]}, after: 0},
    ];
    for (const one of all) one.reader = new StreamReader(running, one.request, {after: one.after}).start();
    return all;
  };

  const seeExactlyTheStore = async (all, position) => {
    for (const {request, after: begin, reader} of all) {
      await reader.finish(position);
      assert.deepEqual(reader.errors, []);
      const types = request.event_types?.map((type) => type.replaceAll('.', '\\.').replace('*', '.+')).join('|');
      const rows = request.workflow_id
        ? await database.rows(EXPECTED_OF_WORKFLOW, request.workflow_id, begin)
        : await database.rows(EXPECTED, begin, types ? `^(${types})$` : null, request.agent_id ?? null);
      assert.ok(rows.length > 0);
      assert.deepEqual(reader.events.map((event) => event.position), rows.map((row) => row.position),
        `${JSON.stringify(request)} over ${reader.calls} calls`);
    }
  };

  test('clients that are cut off hundreds of times see exactly the sequence of the store', async (t) => {
    const load = new Load().start(4);
    const all = readers();
    for (let i = 0; i < 300; ++i) {
      pick(all).reader.cut();
      await pause(15);
    }
    await load.finish();
    const position = await head();
    await settled(position);
    await seeExactlyTheStore(all, position);
    const late = await database.value("SELECT count(*) FROM memberships WHERE since <> position AND kind = 'w'");
    assert.ok(late > 0);
    t.diagnostic(`${position} events, ${late} late members, ` +
      `${all.reduce((sum, {reader}) => sum + reader.calls, 0)} calls`);
  });

  test('replicas that are killed and restarted, and a PostgreSQL that is, lose and double nothing', async (t) => {
    const load = new Load().start(2);
    const all = readers();
    for (let i = 0; i < 4; ++i) {
      await apis[i % 2].kill();
      await pause(300);
      await apis[i % 2].startAgain();
      await pause(500);
    }
    await set.servers.restartServer('postgres');
    await pause(1000);
    await set.servers.killServer('postgres');
    await set.servers.startServer('postgres');
    await pause(500);
    await load.finish();
    const position = await head();
    await settled(position);
    await seeExactlyTheStore(all, position);
    const ends = {};
    for (const {reader} of all) for (const [end, times] of reader.ends) ends[end] = (ends[end] ?? 0) + times;
    t.diagnostic(`ends: ${JSON.stringify(ends)}`);
  });

  test('a stream stays open while PostgreSQL is away, and says nothing that is not so', async () => {
    const begin = await head();
    const reader = new StreamReader(() => [replicas[0].client], {}, {after: begin}).start();
    await until('it is live', () => Number(reader.point.after) >= begin);
    await set.servers.stopServer('postgres');
    const beats = [];
    const call = replicas[0].client; // the same replica, another stream, is refused
    await assert.rejects(new Promise((_, reject) =>
      call.stream('StreamEvents', {}, {onFrame: (frame) => beats.push(frame), onEnd: reject})), {code: 'UNAVAILABLE'});
    assert.deepEqual(beats, []);
    await pause(700); // heartbeats go on
    assert.equal(Number(reader.point.after), begin);
    await set.servers.startServer('postgres');
    await append([newEvent()]);
    await reader.finish(begin + 1);
    assert.deepEqual(reader.events.map((event) => event.position), [begin + 1]);
    assert.equal(reader.calls, 1);
    assert.deepEqual(reader.errors, []);
  });

  test('a client that does not read is cut off and told where to go on; others are not held up', async () => {
    const begin = await head();
    const fast = new StreamReader(() => [replicas[0].client], {}, {after: begin}).start();
    const other = client.at(apis[0].grpc);
    let last = null;
    let ended;
    const end = new Promise((resolve) => { ended = resolve; });
    const slow = other.stream('StreamEvents', {after: begin}, {onFrame: (frame) => { last = frame; }, onEnd: ended});
    await until('it has begun', () => last);
    slow.pause();
    const cutOffs = () => apis[0].metric('god33_streams_cut_off_total');
    const before = await cutOffs();
    for (let i = 0; i < 60; ++i) await append([newEvent({payload: {text: 'x'.repeat(500_000)}})]);
    await until('it is cut off', async () => (await cutOffs()) > before);
    slow.resume();
    const error = await inTime('it has ended', end);
    assert.equal(error.code, 'RESOURCE_EXHAUSTED');
    assert.equal(error.reason, 'SLOW_READER');
    assert.equal(error.metadata.position, last.position);
    await fast.finish(begin + 60);
    assert.equal(fast.events.length, 60);
    assert.equal(fast.calls, 1);
    other.close();
  });

  test('SIGTERM ends streams at once, with where to go on', async () => {
    const ends = [];
    const frames = [];
    const stopping = await set.api({}, 'api-3');
    const other = client.at(stopping.grpc);
    for (let i = 0; i < 50; ++i) {
      other.stream('StreamEvents', {}, {onFrame: (frame) => frames.push(frame), onEnd: (error) => ends.push(error)});
    }
    await until('all have begun', () => frames.length === 50);
    const {code, ms} = await stopping.stop();
    assert.equal(code, 0);
    assert.ok(ms < 3000, `${ms} ms`);
    await until('all have ended', () => ends.length === 50);
    for (const error of ends) {
      assert.equal(error.reason, 'STOPPING');
      assert.equal(error.metadata.position, frames[0].position);
    }
    other.close();
  });

  test('a thousand streams on one replica get an event soon', async (t) => {
    const clients = Array.from({length: 10}, () => client.at(apis[0].grpc));
    const latencies = [];
    const all = Array.from({length: 1000}, (_, i) => new StreamReader(() => [clients[i % 10]],
      i % 2 ? {event_types: ['demo.latency']} : {event_types: ['demo.no.*', 'demo.latency']},
      {onEvent: (event) => latencies.push(Date.now() - JSON.parse(event.payload.text).sent)}).start());
    await until('all are open', () => all.every((reader) => reader.point.after !== undefined), {within: 30_000});
    assert.equal(await apis[0].metric('god33_streams_open'), 1000);
    const EVENTS = 5;
    for (let i = 0; i < EVENTS; ++i) {
      await append([newEvent({type: 'demo.latency'})]);
      await until('all have it', () => latencies.length === 1000 * (i + 1), {every: 5});
    }
    await Promise.all(all.map((reader) => reader.stop()));
    for (const reader of all) {
      assert.deepEqual(reader.errors, []);
      assert.equal(reader.events.length, EVENTS);
    }
    latencies.sort((a, b) => a - b);
    const at = (fraction) => latencies[Math.floor(fraction * (latencies.length - 1))];
    t.diagnostic(`append to client, 1,000 streams: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`);
    for (const one of clients) one.close();
  });

  test('one stream gets an event within milliseconds of its commit', async (t) => {
    const latencies = [];
    const reader = new StreamReader(() => [replicas[0].client], {event_types: ['demo.single']},
      {onEvent: (event) => latencies.push(Date.now() - JSON.parse(event.payload.text).sent)}).start();
    await until('it is open', () => reader.point.after !== undefined);
    for (let i = 0; i < 200; ++i) await append([newEvent({type: 'demo.single'})]);
    await until('all came', () => latencies.length === 200);
    await reader.stop();
    latencies.sort((a, b) => a - b);
    t.diagnostic(`append to client, one stream: p50 ${latencies[100]} ms, p99 ${latencies[198]} ms`);
  });

  test('god33 event stream goes on by itself when the API is restarted, and Ctrl-C ends it with 0', async () => {
    const begin = await head();
    const cli = Process.start(executable('god33'),
      ['event', 'stream', '--type', 'demo.cli.*', '--after', String(begin), '-o', 'jsonl'],
      {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_API_ADDR: apis[0].grpc});
    const lines = () => cli.out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    await append([newEvent({type: 'demo.cli.one'}), newEvent({type: 'demo.other'})]);
    await until('the first is printed', () => lines().length === 1);
    await apis[0].kill();
    await append([newEvent({type: 'demo.cli.two'})]);
    await apis[0].startAgain();
    await append([newEvent({type: 'demo.cli.three'})]);
    await until('the others are printed', () => lines().length === 3, {within: 20_000});
    assert.deepEqual(lines().map((event) => event.event_type), ['demo.cli.one', 'demo.cli.two', 'demo.cli.three']);
    cli.signal('SIGINT');
    const end = await inTime('it has ended', cli.exited);
    assert.equal(end.code, 0, cli.err);
    assert.match(cli.err, /going on/);
    assert.match(cli.err, new RegExp(`Go on with: --after ${begin + 4}\n$`));
  });

  test('god33 event stream ends after --max, and says what is wrong with its arguments', async () => {
    const run = async (...args) => {
      const cli = Process.start(executable('god33'), ['event', 'stream', ...args],
        {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_API_ADDR: apis[0].grpc});
      const {code} = await inTime('it has ended', cli.exited);
      return {code, out: cli.out, err: cli.err};
    };
    const three = await run('--after', '0', '--max', '3');
    assert.equal(three.code, 0, three.err);
    assert.equal(three.out.trimEnd().split('\n').length, 4, three.out); // a head, and three
    assert.equal((await run('--after', String(await head() + 10))).code, 2);
    assert.equal((await run('-o', 'yaml')).code, 2);
    assert.equal((await run('--workflow', 'x')).code, 2);
    assert.equal((await run('--api', '127.0.0.1:1')).code, 5);
  });
});
