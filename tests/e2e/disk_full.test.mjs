// PostgreSQL's disk is full, first that of the tables, then that of the write-ahead log: storing stops, says
// why, loses nothing, and goes on by itself when there is room again.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {readFile, realpath} from 'node:fs/promises';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {withChannel} from './support/bus.mjs';
import {aggregatesWhole, denseOrder, everyEventOnce, poisonSetAside, projectionsEqual, settle} from './support/checks.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {QUEUE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {LogFollower} from './support/log_follower.mjs';
import {mustRun, run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {SmallDisk} from './support/small_disk.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {SteadyPublisher} from './support/steady_publisher.mjs';
import {Traffic} from './support/traffic.mjs';
import {pause, until} from './support/wait.mjs';

const SETTLED_WITHIN_MS = 30_000;
const UNAVAILABLE = 5;
const skip = await SmallDisk.missing();

describe('a full disk', {skip: skip ?? false}, () => {
  let set, tables, log, database, admin, client, manager, api, gateway, traffic, publisher, appender, follower;

  before(async () => {
    set = await TestSet.start('disk_full');
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    admin = new Database(set.urls.GOD33_ADMIN_DATABASE_URL.replace(/\/[^/]*$/, '/postgres'));
    tables = await SmallDisk.mount('256m');
    log = await SmallDisk.mount('512m');
    await admin.rows(`CREATE TABLESPACE small LOCATION '${await tables.directory('tables')}'`);
    await admin.rows('ALTER DATABASE event_store SET TABLESPACE small');
    await moveLog(await log.directory('log'));
    ({manager, api, gateway} = await set.all());
    client = await EventStoreClient.discover(manager.grpc);
    traffic = new Traffic();
    publisher = new SteadyPublisher(set.urls.RABBITMQ_URL, traffic, 300).start();
    appender = new SteadyAppender(client, () => [manager.grpc]).start();
    follower = new LogFollower(set.urls.GOD33_READER_DATABASE_URL).start();
    await goesOn();
  });

  after(async () => {
    client?.close();
    await set?.end();
    await tables?.end();
    await log?.end();
  });

  // The write-ahead log has a place of its own, as initdb --waldir gives it.
  const moveLog = async (directory) => {
    await set.servers.stopServer('postgres');
    const data = path.join(await realpath(path.join(set.directory, 'servers', 'postgres')), 'data');
    await mustRun('sh', ['-c', 'cp -a "$0/pg_wal/." "$1" && rm -r "$0/pg_wal" && ln -s "$1" "$0/pg_wal" && chown -h postgres: "$0/pg_wal"',
      data, directory]);
    await set.servers.startServer('postgres');
  };

  const goesOn = async (within = 30_000) => {
    const appended = appender.positions.size;
    const [from] = await until('the database answers', async () =>
      [await database.value('SELECT coalesce(max(position), 0) FROM event_ids')], {within});
    const newer = 'SELECT count(*) FROM (SELECT FROM events WHERE NOT appended AND position > $1 LIMIT 1) AS newer';
    await until('events from the bus are stored', () => database.value(newer, from), {within});
    await until('appends are answered', () => appender.positions.size > appended, {within});
  };

  const waiting = () => withChannel(set.urls.RABBITMQ_URL, async (channel) =>
    (await channel.checkQueue(QUEUE)).messageCount);

  // What an append is told now; null if it is stored.
  const refusal = async () => {
    const id = randomUUID();
    try {
      const {position} = await client.call('AppendEvent', {event: {event_id: id, event_type: 'task.tried', payload: {text: '{}'}}});
      appender.positions.set(id, Number(position));
      return null;
    } catch (error) {
      return error;
    }
  };

  const postgresRuns = async () => {
    const [pid] = (await readFile(path.join(set.directory, 'servers/pid/postgres'), 'utf8')).split(' ');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
    return !/\) Z/.test(stat);
  };

  test('of the tables: appends are told so, health and metrics say so without wavering', async () => {
    await tables.fill();
    const error = await until('an append is told', async () => {
      const answer = await refusal();
      return answer?.reason === 'DATABASE_FULL' && answer;
    }, {within: 30_000});
    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /disk is full; retry with the same event ids/);
    const rest = await fetch(`http://${gateway.rest}/api/v1/events`, {method: 'POST',
      headers: {'content-type': 'application/json'}, body: JSON.stringify({event_type: 'task.tried', payload: {}})});
    assert.deepEqual([rest.status, (await rest.json()).reason], [503, 'DATABASE_FULL']);

    const before = await database.value('SELECT max(position) FROM event_ids');
    const waited = await waiting();
    for (const end = Date.now() + 5000; Date.now() < end; await pause(50)) {
      const health = await manager.health();
      assert.equal(health.code, 503);
      assert.match(health.components.postgresql.detail, /No space left on device/);
      assert.equal(health.components.rabbitmq.status, 'serving');
      assert.equal(await manager.metric('god33_database_full'), 1);
      assert.equal(await manager.metric('god33_database_breaker_open'), 1);
    }
    assert.equal(await database.value('SELECT max(position) FROM event_ids'), before, 'nothing is stored');
    const taken = () => manager.metric('god33_writer_queued_events');
    await until('messages wait, in the queue or unacked', async () => (await waiting()) > waited || (await taken()) > 100);

    const shown = await (await fetch(`http://${gateway.rest}/healthz`)).json();
    assert.equal(shown.services['event-store-manager'].components.postgresql, 'not_serving');
    const status = await run(executable('god33'), ['status'], {env: {...BASE_ENVIRONMENT,
      GOD33_EVENT_STORE_API_ADDR: api.grpc, GOD33_EVENT_STORE_MANAGER_ADDR: manager.grpc}});
    assert.equal(status.code, UNAVAILABLE);
    assert.match(status.stdout.toString(), /event-store-manager +not_serving .*postgresql: not_serving/);
    assert.equal((await api.health()).code, 200, 'what is stored is answered');
  });

  test('of the tables: a manager that stops and starts meanwhile changes nothing', async () => {
    const end = await manager.stop();
    assert.equal(end.code, 0);
    await manager.startAgain();
    await until('it finds out', async () => (await manager.metric('god33_database_full')) === 1, {within: 20_000});
  });

  test('of the tables: with room again all goes on by itself', async (t) => {
    await tables.free();
    const freed = Date.now();
    await manager.untilHealthy();
    t.diagnostic(`it serves ${Date.now() - freed} ms after there was room`);
    await goesOn();
    assert.equal(await manager.metric('god33_database_full'), 0);
    assert.equal(await database.value("SELECT count(*) FROM dead_letters WHERE reason <> 'unreadable'"), 0);
  });

  test('of the tables, without anything to store: it finds out by itself that there is room', async (t) => {
    await appender.finish();
    await publisher.finish();
    await until('nothing waits', async () => (await waiting()) === 0 && (await manager.metric('god33_writer_queued_events')) === 0);
    await tables.fill();
    await until('an append is told', async () => (await refusal())?.reason === 'DATABASE_FULL', {within: 60_000, every: 1});
    for (const end = Date.now() + 3000; Date.now() < end; await pause(50)) assert.equal((await manager.health()).code, 503);
    await tables.free();
    const freed = Date.now();
    await manager.untilHealthy();
    t.diagnostic(`it serves ${Date.now() - freed} ms after there was room`);
    publisher.start();
    appender.start();
    await goesOn();
  });

  test('of the write-ahead log: PostgreSQL goes down, and with room and a restart all goes on by itself', async (t) => {
    await log.fill();
    // What PostgreSQL has laid by of its log is used up first.
    const usedUp = async () => {
      await admin.rows("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 4000000))").catch(() => {});
      await admin.rows('SELECT pg_switch_wal()').catch(() => {});
      return !(await postgresRuns());
    };
    await until('PostgreSQL has given up', usedUp, {within: 60_000});
    await until('the manager says so', async () => (await manager.health()).components.postgresql.status === 'not_serving');
    const error = await until('an append is told', async () => refusal());
    assert.deepEqual([error.code, error.reason], ['UNAVAILABLE', 'DATABASE_UNAVAILABLE']);
    assert.equal(await manager.metric('god33_database_breaker_open'), 1);
    await log.free();
    await set.servers.startServer('postgres');
    const up = Date.now();
    await goesOn();
    t.diagnostic(`stores again ${Date.now() - up} ms after PostgreSQL is up`);
    await manager.untilHealthy();
  });

  test('nothing is lost, doubled or set aside', async () => {
    await appender.finish();
    await publisher.finish();
    await settle(database, traffic, appender, SETTLED_WITHIN_MS);
    await everyEventOnce(database, traffic, publisher, appender);
    await denseOrder(database);
    await poisonSetAside(database, traffic);
    await projectionsEqual(database, traffic);
    await aggregatesWhole(database, appender);
    await follower.finish();
    assert.deepEqual(follower.gaps, []);
    const rows = await database.rows('SELECT event_id FROM events ORDER BY position');
    assert.deepEqual(follower.ids, rows.map((row) => row.event_id));
  });
});
