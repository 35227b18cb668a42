// RabbitMQ in alarm takes no messages from publishers, while consumers go on: storing goes on, the relay
// waits and says so, and everything goes on by itself when the alarm is over.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {BusWatcher} from './support/bus_watcher.mjs';
import {ForeignQueue, withChannel} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {aggregatesWhole, denseOrder, everyEventOnce, poisonSetAside, settle} from './support/checks.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {QUEUE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {SteadyPublisher} from './support/steady_publisher.mjs';
import {Traffic} from './support/traffic.mjs';
import {until} from './support/wait.mjs';

const TOLD_WITHIN_MS = 5000;
const STOPS_WITHIN_MS = 10_000;
const CLI_TIMEOUT_S = 5;
const UNAVAILABLE = 5;
const LARGE = 3_900_000; // bytes, as much as gRPC lets through
const MANY_LARGE = 8; // together far more than the sockets between manager and broker hold

const ALARMS = [
  {name: 'memory', raise: ['set_vm_memory_high_watermark', '0.00001'], clear: ['set_vm_memory_high_watermark', '0.4']},
  {name: 'disk', raise: ['set_disk_free_limit', '1000000GB'], clear: ['set_disk_free_limit', '50MB']},
];

describe('the broker in alarm', () => {
  let set, manager, api, gateway, database, client, watcher, foreign, traffic, publisher, appender;
  const large = []; // ids of large events

  before(async () => {
    set = await TestSet.start('alarms');
    ({manager, api, gateway} = await set.all());
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    client = await EventStoreClient.discover(manager.grpc);
    watcher = await new BusWatcher(set.urls.RABBITMQ_URL).start();
    foreign = await ForeignQueue.bind(set.urls.RABBITMQ_URL);
  });

  after(async () => {
    client?.close();
    await foreign?.close();
    await set?.end();
  });

  const raise = (alarm) => set.servers.rabbitmqctl(...alarm.raise);
  const clear = (alarm) => set.servers.rabbitmqctl(...alarm.clear);

  const god33 = async (args, input) => {
    const env = {
      ...BASE_ENVIRONMENT,
      RABBITMQ_URL: set.urls.RABBITMQ_URL,
      GOD33_EVENT_STORE_API_ADDR: api.grpc,
      GOD33_EVENT_STORE_MANAGER_ADDR: manager.grpc,
    };
    const began = Date.now();
    const end = await run(executable('god33'), args, {env, input, timeout: 30_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr, ms: Date.now() - began};
  };

  const appendLarge = async () => {
    const id = randomUUID();
    large.push(id);
    await client.call('AppendEvent', {event: {event_id: id, event_type: 'task.large',
      payload: {text: JSON.stringify({text: 'x'.repeat(LARGE)})}, timestamp: {seconds: 1769508000, nanos: 0}}});
    return id;
  };

  // What the manager says when its relay has met the alarm.
  const saysBlocked = () => until('the outbox says that it waits', async () => {
    const health = await manager.health();
    return health.components.outbox.status === 'not_serving' && health;
  }, {within: TOLD_WITHIN_MS});

  const saysFree = () => until('the outbox serves', async () =>
    (await manager.health()).status === 'ok' && (await manager.metric('god33_broker_blocked')) === 0, {within: 15_000});

  const appendsGoOn = async () => {
    const before = appender.positions.size;
    await until('appends are answered', () => appender.positions.size >= before + 50);
  };

  const stopsInTime = async () => {
    const end = await manager.stop();
    assert.deepEqual([end.code, end.signal], [0, null], manager.logText().slice(-1000));
    assert.ok(end.ms < STOPS_WITHIN_MS, `it took ${end.ms} ms`);
    return end.ms;
  };

  test('events larger than what the sockets hold do not block their sender, and are on the bus whole afterwards', async (t) => {
    await appendLarge();
    await until('the relay has its connection', () => watcher.appended.has(large[0]));
    await raise(ALARMS[0]);
    const id = await appendLarge();
    for (let i = 1; i < MANY_LARGE; ++i) await appendLarge();
    await saysBlocked();
    t.diagnostic(`stopped in ${await stopsInTime()} ms while a message was cut in two`);
    await manager.startAgain();
    await saysBlocked();
    assert.equal(watcher.appended.has(id), false);
    await clear(ALARMS[0]);
    await saysFree();
    await until('all are on the bus', () => large.every((each) => watcher.appended.has(each)), {within: 15_000});
    for (const id of large) {
      await until('the other queue has it', () => foreign.find(id).length > 0);
      for (const message of foreign.find(id)) {
        assert.equal(JSON.parse(message.content).payload.text.length, LARGE);
      }
    }
  });

  for (const alarm of ALARMS) {
    test(`${alarm.name}: storing goes on, the relay waits and says so`, async () => {
      if (!publisher) {
        traffic = new Traffic();
        publisher = new SteadyPublisher(set.urls.RABBITMQ_URL, traffic, 300).start();
        appender = new SteadyAppender(client, () => [manager.grpc]).start();
        await until('all of it flows', () => publisher.confirmed.size > 300 && watcher.relayed.length > 100,
          {within: 30_000});
      }
      await raise(alarm);
      const health = await saysBlocked();
      assert.deepEqual([health.code, health.status], [200, 'degraded'], 'it serves');
      assert.deepEqual([health.components.postgresql.status, health.components.rabbitmq.status], ['serving', 'serving']);
      assert.match(health.components.outbox.detail, new RegExp(`low on ${alarm.name}.*wait in the log`));
      assert.equal(await manager.metric('god33_broker_blocked'), 1);

      const relayed = await manager.metric('god33_relay_position');
      await appendsGoOn();
      assert.equal(await manager.metric('god33_relay_position'), relayed, 'nothing goes by the alarm');
      await until('what was in the queue is stored', () => withChannel(set.urls.RABBITMQ_URL, async (channel) =>
        (await channel.checkQueue(QUEUE)).messageCount === 0));
      assert.equal((await manager.health()).status, 'degraded');
    });

    test(`${alarm.name}: gateway and command line show it; a publication ends in time with a clear error`, async () => {
      const response = await fetch(`http://${gateway.rest}/healthz`);
      const shown = await response.json();
      assert.deepEqual([response.status, shown.status], [200, 'degraded']);
      assert.deepEqual(shown.services['event-store-manager'],
        {status: 'serving', components: {outbox: 'not_serving', postgresql: 'serving', rabbitmq: 'serving'}});

      const status = await god33(['status', '-o', 'json']);
      assert.equal(status.code, UNAVAILABLE);
      assert.equal(JSON.parse(status.out).status, 'degraded');
      assert.match(status.err, /event-store-manager's outbox/);

      for (const size of [10, LARGE]) {
        const end = await god33(['--timeout', `${CLI_TIMEOUT_S}`, 'event', 'publish', 'a.b', '--json', '-'],
          JSON.stringify({text: 'x'.repeat(size)}));
        assert.equal(end.code, UNAVAILABLE, end.err);
        assert.match(end.err, new RegExp(`takes no messages for now: low on ${alarm.name}`));
        assert.match(end.err, /--event-id/);
        assert.ok(end.ms < (CLI_TIMEOUT_S + 1) * 1000);
      }
    });

    test(`${alarm.name}: SIGTERM ends the manager in its usual time; the next one stores, too`, async (t) => {
      t.diagnostic(`stopped in ${await stopsInTime()} ms`);
      await manager.startAgain();
      await manager.untilHealthy();
      await appendsGoOn();
      await saysBlocked();
    });

    test(`${alarm.name}: when it is over everything goes on by itself`, async (t) => {
      const missing = [...appender.positions.keys()].filter((id) => !watcher.appended.has(id));
      assert.ok(missing.length > 0);
      await clear(alarm);
      const cleared = Date.now();
      await saysFree();
      await until('what waited is on the bus', () => missing.every((id) => watcher.appended.has(id)), {within: 15_000});
      t.diagnostic(`${missing.length} events that waited were on the bus ${Date.now() - cleared} ms after the alarm`);
      const from = await database.value('SELECT max(position) FROM event_ids');
      await until('events from the bus are stored again', () => database.value(
        'SELECT count(*) FROM (SELECT FROM events WHERE NOT appended AND position > $1 LIMIT 1) AS newer', from),
      {within: 15_000});
    });
  }

  test('nothing is lost or doubled, and what was appended came in order', async () => {
    await appender.finish();
    await publisher.finish();
    for (const id of large) appender.positions.set(id, await database.value('SELECT position FROM event_ids WHERE event_id = $1', id));
    // What the command line could not see confirmed is stored, or it is not: both are right.
    const unconfirmed = await database.rows("SELECT event_id FROM events WHERE event_type = 'a.b'");
    for (const {event_id: id} of unconfirmed) {
      traffic.events.add(id);
      publisher.confirmed.add(id);
    }
    await settle(database, traffic, appender, 30_000);
    await everyEventOnce(database, traffic, publisher, appender);
    await denseOrder(database);
    await poisonSetAside(database, traffic);
    await aggregatesWhole(database, appender);
    await until('the watcher has seen all', () => [...appender.positions.keys()].every((id) => watcher.appended.has(id)));
    const first = [...new Set(watcher.relayed)];
    assert.deepEqual(first, [...first].sort((a, b) => a - b));
    assert.deepEqual([...await database.rows('SELECT reason FROM dead_letters WHERE reason <> $1', 'unreadable')], []);
    await watcher.stop();
  });
});
