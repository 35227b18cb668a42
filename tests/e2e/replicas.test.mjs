// Two managers that both consume, without a single active one: the log's order is made in the database,
// so that is safe, too.

import {after, before, describe, test} from 'node:test';
import {BusWatcher} from './support/bus_watcher.mjs';
import {
  aggregatesWhole, denseOrder, everyEventOnce, poisonSetAside, projectionsEqual, settle,
} from './support/checks.mjs';
import {Database} from './support/database.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {LogFollower} from './support/log_follower.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {SteadyPublisher} from './support/steady_publisher.mjs';
import {Traffic} from './support/traffic.mjs';
import {until} from './support/wait.mjs';

const RATE = 1500; // messages a second
const KILLS = 4;
const FROM_BUS = 'god33_events_stored_total{source="bus"}';
const SIDE_BY_SIDE = {GOD33_SINGLE_ACTIVE_CONSUMER: 'false', GOD33_PREFETCH: '50'};

describe('two managers that consume side by side', () => {
  let set, database, client, managers, traffic, publisher, appender, watcher, follower;

  before(async () => {
    set = await TestSet.start('replicas');
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    managers = [await set.manager(SIDE_BY_SIDE, 'manager-1'), await set.manager(SIDE_BY_SIDE, 'manager-2')];
    for (const manager of managers) await manager.untilHealthy();
    client = await EventStoreClient.discover(managers[0].grpc);
    watcher = await new BusWatcher(set.urls.RABBITMQ_URL).start();
    follower = new LogFollower(set.urls.GOD33_READER_DATABASE_URL).start();
    traffic = new Traffic();
    publisher = new SteadyPublisher(set.urls.RABBITMQ_URL, traffic, RATE).start();
    const running = () => managers.filter((manager) => manager.running).map((manager) => manager.grpc);
    appender = new SteadyAppender(client, running, {writers: 8, pauseMs: 5}).start();
  });

  after(async () => {
    client?.close();
    await set?.end();
  });

  const bothStore = async (least) => {
    for (const manager of managers) {
      await until('it stores', async () => (await manager.metric(FROM_BUS)) > least, {within: 30_000});
    }
  };

  test('both store what comes over the bus, and go on when one is killed', async () => {
    for (let i = 0; i < KILLS; ++i) {
      await bothStore(300);
      const victim = managers[i % 2];
      await victim.kill();
      await victim.start();
    }
    await bothStore(300);
  });

  test('every event is stored exactly once', async (t) => {
    await appender.finish();
    await publisher.finish();
    await settle(database, traffic, appender, 30_000);
    await everyEventOnce(database, traffic, publisher, appender);
    t.diagnostic(`${traffic.events.size} events in ${publisher.published} publications, ` +
      `${appender.positions.size} appended`);
  });

  test('positions are dense from 1, and recorded_at never goes back', () => denseOrder(database));

  test('each poison is set aside, no more often than it was published', () => poisonSetAside(database, traffic));

  test('projections are equal to the events', () => projectionsEqual(database, traffic));

  test('aggregates are as long as their writers made them', () => aggregatesWhole(database, appender));

  test('who followed the log by position all the time missed nothing', async () => {
    await follower.finish();
    if (follower.gaps.length > 0) throw new Error(follower.gaps.join(', '));
  });

  test('every appended event was on the bus', async () => {
    await until('the watcher has seen all', () =>
      [...appender.positions.keys()].every((id) => watcher.appended.has(id)));
    await watcher.stop();
  });
});
