// Two managers, 32 appenders and a producer on the bus, readers of every kind; meanwhile sessions that sit idle
// in transactions, a dump, new partitions, and a manager that is stopped while it holds the log: nobody stands
// still for longer than is promised, and every reader sees the store's exact sequence.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {after, before, describe, test} from 'node:test';
import pg from 'pg';
import {aggregatesWhole, denseOrder, everyEventOnce, poisonSetAside, projectionsEqual, settle} from './support/checks.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT} from './support/environment.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {LiveSocket} from './support/live.mjs';
import {LogFollower} from './support/log_follower.mjs';
import {PageFollower} from './support/page_follower.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {SteadyPublisher} from './support/steady_publisher.mjs';
import {StreamReader} from './support/stream_reader.mjs';
import {Traffic} from './support/traffic.mjs';
import {pause, until} from './support/wait.mjs';

const WRITERS = 32;
const RATE = 200; // messages a second over the bus

// What the manager's README promises: a stopped holder is ended after 2 s, and a wait for it may have to be begun
// anew once; the rest is for a loaded machine.
const BOUND_MS = 5000;
const LEAST_EVENTS = 200; // of each phase

describe('nobody stalls the log', () => {
  let set, database, admin, managers, api, client, reader, traffic, publisher, appender;
  const phases = []; // {name, from, to}
  const idle = []; // sessions
  const readers = []; // {name, seen(): [[id, ms of arrival], ...], finish(position)}

  const follow = (name, seen, finish) => readers.push({name, seen, finish});

  before(async () => {
    set = await TestSet.start('stalls');
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    admin = new Database(set.urls.GOD33_ADMIN_DATABASE_URL);
    managers = [await set.manager({}, 'manager-1')];
    await managers[0].untilHealthy();
    managers.push(await set.manager({}, 'manager-2'));
    api = await set.api();
    const gateway = await set.gateway(managers[1], api);
    for (const service of [managers[1], api, gateway]) await service.untilHealthy();
    client = await EventStoreClient.discover(managers[0].grpc);
    reader = client.at(api.grpc);
    await startReaders(gateway);
    traffic = new Traffic();
    publisher = new SteadyPublisher(set.urls.RABBITMQ_URL, traffic, RATE).start();
    appender = new SteadyAppender(client, () => managers.map((manager) => manager.grpc), {writers: WRITERS, pauseMs: 40}).start();
    await until('all write', () => appender.aggregates.every(({version}) => version > 0), {within: 30_000});
  });

  after(async () => {
    for (const session of idle) await session.end().catch(() => {});
    client?.close();
    await set?.end();
  });

  const startReaders = async (gateway) => {
    for (const n of [1, 2]) {
      const seen = [];
      const stream = new StreamReader(() => [reader], {}, {after: 0, onEvent: ({event_id: id}) => seen.push([id, Date.now()])});
      stream.start();
      follow(`gRPC stream ${n}`, () => seen, async (position) => {
        await stream.finish(position);
        assert.deepEqual(stream.errors, []);
      });
      const socket = await LiveSocket.open(gateway, {after: 0});
      follow(`WebSocket ${n}`, () => socket.of('event').map(({data, at}) => [data.event_id, at]), async (position) => {
        await until('the socket is there', () => socket.of('event').at(-1)?.position >= position);
        socket.close();
      });
      const poller = new LogFollower(set.urls.GOD33_READER_DATABASE_URL).start();
      follow(`SQL poller ${n}`, () => poller.ids.map((id, i) => [id, poller.times[i]]), async () => {
        await poller.finish();
        assert.deepEqual(poller.gaps, []);
      });
    }
    const pages = new PageFollower(reader).start();
    follow('pages', () => pages.seen, async () => {
      await pages.finish();
      assert.deepEqual(pages.errors, []);
    });
  };

  const now = () => admin.value('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000');

  // Does it while all write, and remembers when that was.
  const phase = async (name, work) => {
    const from = await now();
    const before = appender.positions.size;
    await work();
    await until('it goes on', () => appender.positions.size > before + LEAST_EVENTS, {within: 30_000});
    phases.push({name, from, to: await now()});
  };

  // A session with a snapshot and a transaction id, which has read from `table` and says no more.
  const idleIn = async (url, table) => {
    const session = new pg.Client({connectionString: url});
    session.on('error', () => {});
    await session.connect();
    idle.push(session);
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await session.query(`SELECT txid_current(), count(*) FROM ${table}`);
  };

  test('idle transactions, in another database of the server and in this one', () => phase('idle transactions', async () => {
    await idleIn(set.urls.GOD33_ADMIN_DATABASE_URL.replace(/\/[^/]*$/, '/postgres'), 'pg_class');
    await idleIn(set.urls.GOD33_ADMIN_DATABASE_URL, 'events');
    await pause(5000);
  }));

  test('a dump of the database that takes its time', () => phase('dump', async () => {
    const dump = spawn('pg_dump', [set.urls.GOD33_ADMIN_DATABASE_URL], {env: BASE_ENVIRONMENT, stdio: ['ignore', 'pipe', 'inherit']});
    const ended = new Promise((resolve) => dump.on('close', resolve));
    let bytes = 0;
    await new Promise((resolve) => dump.stdout.once('readable', resolve));
    await pause(5000); // it waits for us, with its snapshot and its locks
    assert.equal(dump.exitCode, null);
    dump.stdout.on('data', (chunk) => { bytes += chunk.length; });
    assert.equal(await ended, 0);
    assert.ok(bytes > 1_000_000);
  }));

  test('new partitions, made while the idle ones hold the old ones', () => phase('partitions', async () => {
    const writer = new Database(`${set.urls.DATABASE_URL}?options=-c%20lock_timeout%3D2s`);
    assert.ok((await writer.value('SELECT ensure_event_partitions(6)')) >= 3);
  }));

  test('a manager that is stopped while it holds the log', async (t) => {
    const holder = () => admin.row(`
      SELECT pid, state, wait_event_type, xact_start::text FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE locktype = 'advisory' AND classid = 33 AND objid = 1 AND granted`);
    const [victim] = managers;
    await phase('stopped holder', async () => {
      let caught;
      for (let tries = 1; tries <= 400 && !caught; ++tries) {
        victim.signal('SIGSTOP');
        const held = await holder();
        await pause(60); // a statement that was under way ends, and with it most transactions
        const still = held && await holder();
        if (still && still.pid === held.pid && still.xact_start === held.xact_start) caught = {...still, tries};
        else victim.signal('SIGCONT');
        if (!caught) await pause(20); // in which it takes up new work
      }
      assert.ok(caught, 'it was never stopped while it held the log');
      t.diagnostic(`caught at the ${caught.tries}. time, ${caught.state}, waiting for its ${caught.wait_event_type}`);
      const before = await database.value('SELECT max(position) FROM event_ids');
      await until('the others go on', async () => (await database.value('SELECT max(position) FROM event_ids')) > before,
        {within: BOUND_MS});
      await pause(4000);
      victim.signal('SIGCONT');
      await victim.untilHealthy();
    });
  });

  test('nothing is lost or doubled', async () => {
    for (const session of idle) await session.end();
    await appender.finish();
    await publisher.finish();
    await settle(database, traffic, appender, 60_000);
    await everyEventOnce(database, traffic, publisher, appender);
    await denseOrder(database);
    await poisonSetAside(database, traffic);
    await projectionsEqual(database, traffic);
    await aggregatesWhole(database, appender);
    assert.ok(managers.every((manager) => manager.running));
  });

  test(`each reader has the store's sequence, and neither it nor storing ever waited for ${BOUND_MS / 1000} s`, async (t) => {
    const rows = await database.rows(
      'SELECT event_id AS id, extract(epoch FROM recorded_at)::float8 * 1000 AS ms FROM events ORDER BY position');
    const stored = new Map(rows.map(({id, ms}) => [id, ms]));
    for (const {name, seen, finish} of readers) {
      await finish(rows.length);
      assert.deepEqual(seen().map(([id]) => id), rows.map(({id}) => id), name);
    }
    for (const {name, from: begin, to: end} of phases) {
      
      const commits = [begin, ...rows.map(({ms}) => ms).filter((ms) => begin <= ms && ms <= end), end];
      const gap = Math.max(...commits.slice(1).map((ms, i) => ms - commits[i]));
      const waits = readers.map((each) => [each.name, Math.max(...each.seen()
        .filter(([id]) => begin <= stored.get(id) && stored.get(id) <= end).map(([id, at]) => at - stored.get(id)))]);
      const [slowest, wait] = waits.reduce((most, each) => (each[1] > most[1] ? each : most));
      t.diagnostic(`${name}: ${commits.length} events; longest gap between commits ${Math.round(gap)} ms, ` +
        `from commit to reader at most ${Math.round(wait)} ms (${slowest})`);
      assert.ok(gap <= BOUND_MS, `${name}: nothing was stored for ${gap} ms`);
      assert.ok(wait <= BOUND_MS, `${name}: ${slowest} waited ${wait} ms`);
    }
    reader.close();
  });
});
