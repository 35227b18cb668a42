// Starting and stopping: in what order ever, with a wrong setting, in the middle of work.

import assert from 'node:assert/strict';
import net from 'node:net';
import {after, before, describe, test} from 'node:test';
import {BusWatcher} from './support/bus_watcher.mjs';
import {ForeignQueue, Publisher, withChannel} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical, EXCHANGE, QUEUE} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {SteadyPublisher} from './support/steady_publisher.mjs';
import {Traffic} from './support/traffic.mjs';
import {inTime, until} from './support/wait.mjs';

const STOPS_WITHIN_MS = 10_000;
const SHORT_EVENT = {event_type: 'a.b', payload: {text: '{}'}};

describe('starting and stopping', () => {
  let set, database, discovered;

  before(async () => {
    set = await TestSet.start('shutdown', {migrate: false});
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
  });

  after(async () => {
    discovered?.close();
    await set?.end();
  });

  const isStored = (id) => until(`${id} is stored`, () =>
    database.value('SELECT true FROM events WHERE event_id = $1', id), {within: 30_000});

  // An event goes all the way from the bus into the table.
  const storesFromBus = async () => {
    const publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    const event = canonical();
    await publisher.publishEvent(event);
    await publisher.close();
    await isStored(event.event_id);
  };

  const stopsWell = async (service) => {
    const end = await service.stop();
    assert.deepEqual([end.code, end.signal], [0, null], service.logText().slice(-1000));
    assert.ok(end.ms < STOPS_WITHIN_MS, `${service.name} took ${end.ms} ms`);
    assert.equal(service.logLines().at(-1).message, 'stopped');
    return end.ms;
  };

  // ---- Starting

  test('on a database without its schema the services say what to do, and work once that is done', async () => {
    const manager = await set.manager();
    const api = await set.api();
    const detail = (service) => until('healthz tells', async () =>
      /migrat/.test((await service.health()).components.postgresql.detail), {within: 15_000});
    await detail(manager);
    await detail(api);
    discovered = await EventStoreClient.discover(manager.grpc);
    await assert.rejects(discovered.call('AppendEvent', {event: SHORT_EVENT}), {code: 'UNAVAILABLE'});
    assert.ok(manager.running && api.running);

    await set.servers.migrate();
    await manager.untilHealthy();
    await api.untilHealthy();
    await storesFromBus();
    await stopsWell(manager);
    await stopsWell(api);
  });

  test('services that start before their servers recover when those are there', async () => {
    await set.servers.stopServer('rabbitmq');
    await set.servers.stopServer('postgres');
    const manager = await set.manager();
    const api = await set.api();
    const gateway = await set.gateway(manager, api);
    const rest = new Rest(gateway.rest);
    const down = await until('healthz tells', async () => {
      const health = await manager.health();
      return Object.values(health.components).every((component) => component.detail !== 'starting') && health;
    });
    assert.equal(down.code, 503);
    assert.equal((await rest.get('/healthz')).status, 503);
    assert.equal((await rest.get('/livez')).status, 200);
    assert.equal((await rest.get('/api/v1/events')).status, 503);
    assert.equal((await rest.post('/api/v1/events', '{"event_type":"a.b","payload":{}}')).status, 503);

    await set.servers.startServer('rabbitmq');
    await set.servers.startServer('postgres');
    await until('all are healthy', async () => (await rest.get('/healthz')).status === 200, {within: 30_000});
    await storesFromBus();
    assert.equal((await rest.get('/api/v1/events', {limit: 1})).status, 200);
    for (const service of [gateway, api, manager]) await stopsWell(service);
  });

  // ---- Wrong settings

  test('--help tells every setting and its variable', async () => {
    for (const name of ['event-store-manager', 'event-store-api', 'gateway']) {
      const help = await run(executable(name), ['--help'], {env: BASE_ENVIRONMENT});
      assert.equal(help.code, 0, name);
      assert.match(help.stdout.toString(), /GOD33_LISTEN/);
      assert.match(help.stdout.toString(), /GOD33_HTTP_LISTEN/);
    }
  });

  const listen = {GOD33_LISTEN: '127.0.0.1:0', GOD33_HTTP_LISTEN: '127.0.0.1:0'};
  const urls = {DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/d', RABBITMQ_URL: 'amqp://127.0.0.1:1'};
  const wrong = [
    ['event-store-manager', {DATABASE_URL: undefined}, 2, /--database-url/],
    ['event-store-manager', {RABBITMQ_URL: undefined}, 2, /--rabbitmq-url/],
    ['event-store-manager', {GOD33_QUEUE_ARGUMENTS: '{"x-max-length":'}, 1,
      /arguments of queue event_store_manager_queue/],
    ['event-store-manager', {GOD33_QUEUE_ARGUMENTS: '{"x-max-length":1.5}'}, 1, /x-max-length/],
    ['event-store-manager', {GOD33_DEAD_LETTER_QUEUE_ARGUMENTS: '[]'}, 1,
      /arguments of queue event_store_manager_dlq/],
    ['event-store-manager', {GOD33_QUEUE_TYPE: 'stream'}, 2, /quorum/],
    ['event-store-manager', {GOD33_PREFETCH: '0'}, 2, /--prefetch/],
    ['event-store-manager', {GOD33_BATCH_EVENTS: 'many'}, 2, /--batch-events/],
    ['event-store-manager', {GOD33_LISTEN: 'nowhere'}, 1, /can't (listen|start)/],
    ['event-store-manager', {GOD33_LOG_LEVEL: 'loud'}, 2, /debug, info, warning or error/],
    ['event-store-api', {DATABASE_URL: undefined}, 2, /--database-url/],
    ['event-store-api', {GOD33_DATABASE_CONNECTIONS: '0'}, 2, /--connections/],
    ['gateway', {GOD33_REQUEST_TIMEOUT: 'soon'}, 2, /--request-timeout/],
    ['gateway', {GOD33_MAX_BODY_BYTES: '-1'}, 2, /--max-body-bytes/],
  ];

  test('a wrong setting ends a service at once, with what is wrong', async () => {
    for (const [name, settings, code, message] of wrong) {
      const env = {...BASE_ENVIRONMENT, ...listen, ...urls, ...settings};
      for (const variable of Object.keys(env)) if (env[variable] === undefined) delete env[variable];
      const end = await run(executable(name), [], {env, timeout: 10_000});
      const what = `${name} ${JSON.stringify(settings)}: ${end.stdout}${end.stderr}`;
      assert.equal(end.code, code, what);
      assert.match(`${end.stdout}${end.stderr}`, message, what);
    }
  });

  test('a port that is taken is told', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = `127.0.0.1:${taken.address().port}`;
    for (const name of ['event-store-manager', 'event-store-api', 'gateway']) {
      const env = {...BASE_ENVIRONMENT, ...listen, ...urls, GOD33_LISTEN: address};
      const end = await run(executable(name), [], {env, timeout: 10_000});
      assert.equal(end.code, 1, name);
      assert.ok(end.stderr.includes(address), `${name}: ${end.stderr}`);
    }
    taken.close();
  });

  // ---- A queue that was declared by others

  const OTHERS = {'x-max-length': 100000, 'x-overflow': 'reject-publish'};

  const declareAsOthersDo = () => withChannel(set.urls.RABBITMQ_URL, async (channel) => {
    await channel.assertExchange(EXCHANGE, 'topic', {durable: true});
    await channel.deleteQueue(QUEUE);
    await channel.assertQueue(QUEUE, {durable: true, arguments: OTHERS});
    await channel.bindQueue(QUEUE, EXCHANGE, '#');
  });

  const deleteQueue = () => withChannel(set.urls.RABBITMQ_URL, (channel) => channel.deleteQueue(QUEUE));

  test('a queue with other arguments: the manager says what to do, appends work, and it recovers', async () => {
    await declareAsOthersDo();
    const manager = await set.manager();
    const foreign = await ForeignQueue.bind(set.urls.RABBITMQ_URL);
    const health = await until('healthz tells', async () => {
      const answer = await manager.health();
      return answer.components.rabbitmq.detail?.includes('406') && answer;
    });
    assert.equal(health.code, 503);
    const {detail} = health.components.rabbitmq;
    for (const part of [QUEUE, 'other arguments', 'existing', 'delete it']) assert.ok(detail.includes(part), detail);

    const client = discovered.at(manager.grpc);
    const appended = await until('appends work', () => client.call('AppendEvent', {event: SHORT_EVENT}));
    assert.ok(Number(appended.position) > 0);
    assert.ok(manager.running);

    await deleteQueue();
    await manager.untilHealthy();
    await until('the append is on the bus', () => foreign.find(appended.event_id).length > 0, {within: 30_000});
    await storesFromBus();
    client.close();
    await foreign.close();
    await stopsWell(manager);
  });

  test('a queue with other arguments can be taken as it is, or with the same arguments', async () => {
    for (const settings of [
      {GOD33_QUEUE_TYPE: 'existing'},
      {GOD33_QUEUE_TYPE: 'classic', GOD33_SINGLE_ACTIVE_CONSUMER: 'false',
        GOD33_QUEUE_ARGUMENTS: JSON.stringify(OTHERS)},
    ]) {
      await declareAsOthersDo();
      const manager = await set.manager(settings);
      await manager.untilHealthy();
      await storesFromBus();
      await stopsWell(manager);
    }
    await deleteQueue();
  });

  test('a queue that is deleted under a running manager is declared again', async () => {
    const manager = await set.manager();
    await manager.untilHealthy();
    await deleteQueue();
    await until('it is there again', () => withChannel(set.urls.RABBITMQ_URL, (channel) => channel.checkQueue(QUEUE)),
      {within: 30_000});
    await storesFromBus();
    await stopsWell(manager);
  });

  // ---- Stopping

  test('SIGTERM under load ends the manager within 10 s, and nothing is lost', async (t) => {
    const before = await database.value('SELECT count(*) FROM events');
    const manager = await set.manager();
    await manager.untilHealthy();
    const traffic = new Traffic();
    const watcher = await new BusWatcher(set.urls.RABBITMQ_URL).start();
    const publisher = new SteadyPublisher(set.urls.RABBITMQ_URL, traffic, 1000).start();
    const addresses = () => (manager.running ? [manager.grpc] : []);
    const appender = new SteadyAppender(discovered, addresses, {pauseMs: 0}).start();
    let slowest = 0;
    for (let i = 0; i < 4; ++i) {
      await until('it works', async () => (await manager.metric('god33_events_stored_total')) > 300);
      slowest = Math.max(slowest, await stopsWell(manager));
      await manager.start();
    }
    await appender.finish();
    await publisher.finish();
    const expected = traffic.events.size + appender.positions.size;
    await until('all is stored', async () =>
      (await database.value('SELECT count(*) FROM events')) === before + expected, {within: 30_000});
    assert.deepEqual(appender.errors, []);
    await until('all is relayed', () => [...appender.positions.keys()].every((id) => watcher.appended.has(id)),
      {within: 30_000});
    // An orderly end acks what is stored: nothing was delivered twice for it.
    assert.equal(await database.value(`SELECT count(*) FROM dead_letters`), traffic.poison.size);
    await watcher.stop();
    await stopsWell(manager);
    t.diagnostic(`${expected} events; slowest stop ${slowest} ms`);
  });

  test('SIGTERM under load ends the reading side within 10 s, every question answered or refused', async (t) => {
    const {manager, api, gateway} = await set.all();
    const client = discovered.at(api.grpc);
    const answers = {grpc: 0, rest: 0};
    const refusals = [];
    let asking = true;
    const askByGrpc = async () => {
      while (asking) {
        await client.call('ListEvents', {limit: 200}).then(() => ++answers.grpc, (error) => {
          // gRPC itself cancels what reaches a server that has begun to stop.
          if (error.code !== 'UNAVAILABLE' && error.code !== 'CANCELLED') refusals.push(error.message);
        });
      }
    };
    const askByRest = async () => {
      while (asking) {
        try {
          const response = await fetch(`http://${gateway.rest}/api/v1/events?limit=200`);
          const body = await response.text();
          if (response.status === 200) ++answers.rest;
          else if (response.status !== 503) refusals.push(body);
          JSON.parse(body); // an answer is whole or there is none
        } catch (error) {
          if (!(error instanceof TypeError)) refusals.push(error.message); // TypeError: no connection
          await new Promise(setImmediate);
        }
      }
    };
    const all = [...Array(4).fill().map(askByGrpc), ...Array(4).fill().map(askByRest)];
    await until('answers come', () => answers.grpc > 50 && answers.rest > 50);
    const times = {api: await stopsWell(api), gateway: await stopsWell(gateway), manager: await stopsWell(manager)};
    asking = false;
    await inTime('nobody waits for an answer', Promise.all(all), 15_000);
    assert.deepEqual(refusals, []);
    client.close();
    t.diagnostic(`stopped in ${JSON.stringify(times)} ms after ${answers.grpc} and ${answers.rest} answers`);
  });

  test('a request that is under way when the gateway stops is answered', async () => {
    const {manager, api, gateway} = await set.all();
    const [host, port] = gateway.rest.split(':');
    const body = JSON.stringify(canonical());
    const socket = net.connect(Number(port), host);
    let answer = '';
    socket.on('data', (chunk) => { answer += chunk; });
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.write(['POST /api/v1/events HTTP/1.1', 'Host: h', 'Content-Type: application/json', 'Expect: 100-continue',
      `Content-Length: ${Buffer.byteLength(body)}`, '', ''].join('\r\n'));
    await until('the gateway has the request', () => answer.startsWith('HTTP/1.1 100'));
    const stopped = gateway.stop();
    await until('it stops', () => gateway.logLines().some((line) => line.message === 'stopping'));
    socket.write(body);
    await inTime('the connection ends', ended);
    assert.match(answer, /HTTP\/1\.1 201/);
    assert.equal((await stopped).code, 0);
    await stopsWell(api);
    await stopsWell(manager);
  });
});
