// Whatever is killed, stopped or restarted while events flow: nothing is lost, nothing is doubled, the
// order has no gap, and all of it goes on by itself.

import assert from 'node:assert/strict';
import {after, afterEach, before, beforeEach, describe, test} from 'node:test';
import {BusWatcher} from './support/bus_watcher.mjs';
import {drain, withChannel} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {
  aggregatesWhole, denseOrder, everyEventOnce, poisonSetAside, projectionsEqual, settle,
} from './support/checks.mjs';
import {QUEUE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {LogFollower} from './support/log_follower.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {SteadyPublisher} from './support/steady_publisher.mjs';
import {Traffic} from './support/traffic.mjs';
import {pause, until} from './support/wait.mjs';

const EVENTS = 20_000; // at least, in all
const RATE = 500; // messages a second
const KILLS = 15;
const FREEZE_MS = 30_000;
const SETTLED_WITHIN_MS = 30_000;
const FROM_BUS = 'god33_events_stored_total{source="bus"}';

describe('faults under load', () => {
  let set, database, client, traffic, publisher, appender, watcher, follower;
  const managers = []; // those that live

  const startManager = async (label) => {
    const manager = await set.manager({}, label);
    managers.push(manager);
    return manager;
  };

  const forget = (manager) => managers.splice(managers.indexOf(manager), 1);

  const head = () => database.value('SELECT coalesce(max(position), 0) FROM event_ids');

  // Messages in the manager's queue that are with no consumer.
  const waiting = () => withChannel(set.urls.RABBITMQ_URL, async (channel) =>
    (await channel.checkQueue(QUEUE)).messageCount);

  // Events from the bus are stored and appends are answered again. Returns how long the first took.
  const goesOn = async (within = 60_000) => {
    const began = Date.now();
    const appended = appender.positions.size;
    const [from] = await until('the database answers', async () => [await head()], {within});
    const newer = 'SELECT count(*) FROM (SELECT FROM events WHERE NOT appended AND position > $1 LIMIT 1) AS newer';
    await until('events from the bus are stored again', () => database.value(newer, from), {within});
    const took = Date.now() - began;
    await until('appends are answered again', () => appender.positions.size > appended, {within});
    return took;
  };

  beforeEach(() => { if (appender) appender.longestMs = 0; });

  afterEach((t) => { if (appender.longestMs > 0) t.diagnostic?.(`slowest append ${appender.longestMs} ms`); });

  before(async () => {
    set = await TestSet.start('faults');
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    const manager = await startManager('manager-1');
    await manager.untilHealthy();
    client = await EventStoreClient.discover(manager.grpc);
    watcher = await new BusWatcher(set.urls.RABBITMQ_URL).start();
    traffic = new Traffic();
    publisher = new SteadyPublisher(set.urls.RABBITMQ_URL, traffic, RATE).start();
    appender = new SteadyAppender(client, () => managers.map((each) => each.grpc)).start();
    follower = new LogFollower(set.urls.GOD33_READER_DATABASE_URL).start();
    await goesOn();
  });

  after(async () => {
    client?.close();
    await set?.end();
  });

  test(`the manager is killed ${KILLS} times in the middle of its work`, async (t) => {
    let slowest = 0;
    for (let i = 0; i < KILLS; ++i) {
      const [manager] = managers;
      await until('it stores', async () => (await manager.metric(FROM_BUS)) > 0, {every: 5});
      // At another moment of its work each time.
      await pause(i * 37 % 150);
      forget(manager);
      await manager.kill();
      // The next one begins with a backlog, and is killed in the middle of that.
      await until('messages are waiting', async () => (await waiting()) > 400, {within: 30_000});
      const began = Date.now();
      managers.push(await manager.start());
      await goesOn();
      slowest = Math.max(slowest, Date.now() - began);
    }
    t.diagnostic(`from its start until a manager stores: at most ${slowest} ms`);
  });

  test('RabbitMQ is restarted', async (t) => {
    await set.servers.restartServer('rabbitmq');
    t.diagnostic(`stores again ${await goesOn()} ms after RabbitMQ is up`);
  });

  test('RabbitMQ is killed', async (t) => {
    await set.servers.killServer('rabbitmq');
    await set.servers.startServer('rabbitmq');
    t.diagnostic(`stores again ${await goesOn()} ms after RabbitMQ is up`);
  });

  test('PostgreSQL is restarted', async (t) => {
    await set.servers.restartServer('postgres');
    t.diagnostic(`stores again ${await goesOn()} ms after PostgreSQL is up`);
  });

  test('PostgreSQL is killed', async (t) => {
    await set.servers.killServer('postgres');
    await set.servers.startServer('postgres');
    t.diagnostic(`stores again ${await goesOn()} ms after PostgreSQL is up`);
  });

  test('PostgreSQL is frozen for 10 s', async (t) => {
    const thaw = await set.servers.freeze('postgres');
    await pause(10_000);
    await thaw();
    t.diagnostic(`stores again ${await goesOn()} ms after the thaw`);
  });

  test('RabbitMQ is frozen for 20 s', async (t) => {
    const thaw = await set.servers.freeze('rabbitmq');
    await pause(20_000);
    await thaw();
    t.diagnostic(`stores again ${await goesOn()} ms after the thaw`);
  });

  test(`the active manager is frozen for ${FREEZE_MS / 1000} s beside a standby`, async (t) => {
    const [active] = managers;
    const standby = await startManager('manager-2');
    await standby.untilHealthy();
    await goesOn();
    assert.equal(await standby.metric(FROM_BUS), 0, 'one consumes, the other stands by');

    const epochOf = (cursor) => database.value('SELECT epoch FROM cursors WHERE name = $1', cursor);
    const [relay, projector] = [await epochOf('outbox'), await epochOf('projector')];
    forget(active);
    active.signal('SIGSTOP');
    const frozen = Date.now();
    const sinceFrozen = async (what, probe) => {
      await until(what, probe, {within: 60_000});
      return Date.now() - frozen;
    };
    const [bus, relayed, folded] = await Promise.all([
      sinceFrozen('the standby stores', async () => (await standby.metric(FROM_BUS)) > 0),
      sinceFrozen('the standby relays', async () => (await epochOf('outbox')) > relay),
      sinceFrozen('the standby folds', async () => (await epochOf('projector')) > projector),
    ]);
    t.diagnostic(`fail-over after the freeze: bus ${bus} ms, relay ${relayed} ms, projector ${folded} ms`);
    assert.ok(bus < 20_000, 'the broker gives a silent consumer up within three heartbeats');
    assert.ok(relayed < 10_000 && folded < 10_000, 'leases end after 5 s');
    await pause(Math.max(0, frozen + FREEZE_MS - Date.now()));
    active.signal('SIGCONT');
    managers.push(active);
    await active.untilHealthy();
    await goesOn();
    assert.ok(active.running && standby.running);
  });

  test('of two managers each is killed in turn', async (t) => {
    let slowest = 0;
    for (let i = 0; i < 6; ++i) {
      const [victim] = managers;
      forget(victim);
      await victim.kill();
      slowest = Math.max(slowest, await goesOn());
      managers.push(await victim.start());
      await victim.untilHealthy();
    }
    t.diagnostic(`from a kill until the other one stores: at most ${slowest} ms`);
  });

  test('after all of it every event is in its place, within 30 s', async (t) => {
    await until('there are events enough', () => traffic.events.size + appender.positions.size >= EVENTS,
      {within: 180_000});
    await appender.finish();
    await publisher.finish();
    const finished = Date.now();
    await settle(database, traffic, appender, SETTLED_WITHIN_MS);
    const appendedIds = [...appender.positions.keys()];
    await until('the watcher has seen all', () => appendedIds.every((id) => watcher.appended.has(id)),
      {within: Math.max(1000, finished + SETTLED_WITHIN_MS - Date.now())});
    t.diagnostic(`settled ${Date.now() - finished} ms after the last publication`);
    t.diagnostic(`${traffic.events.size} events in ${publisher.published} publications, ` +
      `${appender.positions.size} appended, ${traffic.poison.size} kinds of poison; ` +
      `${publisher.reconnects} reconnects, ${appender.retries} retried appends`);
  });

  test('every confirmed event is stored exactly once, and nothing else', async () => {
    await everyEventOnce(database, traffic, publisher, appender);
    assert.ok((await head()) >= EVENTS);
  });

  test('positions are dense from 1, and recorded_at never goes back', () => denseOrder(database));

  test('each poison is set aside, no more often than it was published', () => poisonSetAside(database, traffic));

  test('projections are equal to the events', () => projectionsEqual(database, traffic));

  test('aggregates are as long as their writers made them', () => aggregatesWhole(database, appender));

  test('who followed the log by position all the time missed nothing', async () => {
    await follower.finish();
    assert.deepEqual(follower.gaps, []);
    const rows = await database.rows('SELECT event_id FROM events ORDER BY position');
    assert.deepEqual(follower.ids, rows.map((row) => row.event_id));
  });

  test('every appended event was on the bus, none came first time out of order', async () => {
    assert.deepEqual([...appender.positions.keys()].filter((id) => !watcher.appended.has(id)), []);
    const first = [...new Set(watcher.relayed)];
    assert.deepEqual(first, [...first].sort((a, b) => a - b));
    await watcher.stop();
  });

  test('pages by gRPC show the whole log in its order', async () => {
    const api = await set.api();
    const reader = client.at(api.grpc);
    const ids = [];
    let page_token = '';
    do {
      const page = await reader.call('ListEvents', {limit: 1000, page_token});
      ids.push(...page.events.map((event) => event.event_id));
      page_token = page.next_page_token;
    } while (page_token !== '');
    assert.deepEqual(ids, follower.ids);
    reader.close();
  });

  test('the queue is empty', async () => {
    for (const manager of managers) assert.equal((await manager.stop()).code, 0);
    assert.equal(await waiting(), 0);
    const copies = await drain(set.urls.RABBITMQ_URL);
    assert.equal(new Set(copies.map((copy) => copy.content.toString())).size, traffic.poison.size);
  });
});
