// The command line as scripts use it: what it prints where, and how it ends.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {ForeignQueue, withChannel} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical, QUEUE} from './support/events.mjs';
import {rawAt} from './support/raw_json.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const DONE = 0;
const FAILED = 1;
const USAGE = 2;
const NOT_FOUND = 3;
const UNAVAILABLE = 5;

const PAYLOAD = '{"n":123456789012345678901234567890,"d":1.10,"u":"\\u0000","k":1,"k":2}';

describe('god33', () => {
  let set, services, database, rest, foreign, environment;

  before(async () => {
    set = await TestSet.start('cli');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    rest = new Rest(services.gateway.rest);
    foreign = await ForeignQueue.bind(set.urls.RABBITMQ_URL);
    environment = {
      ...BASE_ENVIRONMENT,
      RABBITMQ_URL: set.urls.RABBITMQ_URL,
      GOD33_EVENT_STORE_API_ADDR: services.api.grpc,
      GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc,
    };
  });

  after(async () => {
    await foreign?.close();
    await set?.end();
  });

  // {code, out, err}
  const god33 = async (args, {input, env = {}} = {}) => {
    const end = await run(executable('god33'), args, {env: {...environment, ...env}, input, timeout: 30_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const succeeds = async (args, options) => {
    const end = await god33(args, options);
    assert.equal(end.code, DONE, `${args.join(' ')}: ${end.err}`);
    return end;
  };

  const fails = async (code, reason, args, options) => {
    const end = await god33(args, options);
    assert.equal(end.code, code, `${args.join(' ')}: ${end.err}`);
    assert.equal(end.out, '');
    assert.match(end.err, reason);
    return end;
  };

  // Publishes and waits until it is stored. Returns the id.
  const publish = async (args, options) => {
    const {out} = await succeeds(['event', 'publish', ...args], options);
    const id = out.trim();
    assert.match(id, /^[0-9a-f-]{36}$/);
    await until(`${id} is stored`, () => database.value('SELECT true FROM events WHERE event_id = $1', id));
    return id;
  };

  test('publish fills in id, time and source, and prints the id when the event is on the bus', async () => {
    const cause = randomUUID();
    const id = await publish(['artifact.created', '--json', PAYLOAD, '--correlation-id', cause]);
    const [message] = await until('it is on the bus', () => foreign.find(id).length > 0 && foreign.find(id));
    const text = message.content.toString();
    assert.equal(rawAt(text, 'payload'), PAYLOAD);
    const event = JSON.parse(text);
    assert.equal(event.event_id, id);
    assert.equal(event.version, '1.0.0');
    assert.deepEqual(event.correlation_ids, [cause]);
    assert.deepEqual([event.source.type, event.source.app], ['agent', 'god33']);
    assert.ok(Math.abs(Date.parse(event.timestamp) - Date.now()) < 60_000);
    assert.equal(message.fields.routingKey, 'artifact.created');
    assert.equal(message.properties.deliveryMode, 2);
    assert.equal(await database.value('SELECT payload::text FROM events WHERE event_id = $1', id), PAYLOAD);
  });

  test('publish takes the payload from standard input or a file', async () => {
    const file = path.join(set.directory, 'payload.json');
    writeFileSync(file, PAYLOAD);
    for (const [json, input] of [['-', PAYLOAD], [`@${file}`, undefined]]) {
      const id = await publish(['artifact.created', '--json', json], {input});
      assert.equal(await database.value('SELECT payload::text FROM events WHERE event_id = $1', id), PAYLOAD);
    }
  });

  test('publish with the same id, time and content counts once', async () => {
    const args = ['a.b', '--json', '{"x":1}', '--event-id', randomUUID(), '--timestamp', '2026-01-27T10:00:00Z'];
    const id = await publish(args);
    const duplicates = await services.manager.metric('god33_events_duplicate_total');
    assert.equal(await publish(args), id);
    await until('the duplicate is seen', async () =>
      (await services.manager.metric('god33_events_duplicate_total')) === duplicates + 1);
    assert.equal(await database.value('SELECT count(*) FROM events WHERE event_id = $1', id), 1);
  });

  test('publish refuses what the store would not take', async () => {
    const before = foreign.messages.length;
    await fails(USAGE, /payload|--json/, ['event', 'publish', 'a.b', '--json', '[1]']);
    await fails(USAGE, /--json/, ['event', 'publish', 'a.b', '--json', '{"a":']);
    await fails(USAGE, /--json/, ['event', 'publish', 'a.b', '--json', '@/nowhere/payload.json']);
    await fails(USAGE, /--json/, ['event', 'publish', 'a.b']);
    await fails(USAGE, /type/i, ['event', 'publish', 'a b', '--json', '{}']);
    await fails(USAGE, /--correlation-id/, ['event', 'publish', 'a.b', '--json', '{}', '--correlation-id', 'x']);
    await fails(USAGE, /--timestamp|time/, ['event', 'publish', 'a.b', '--json', '{}', '--timestamp', 'soon']);
    await fails(USAGE, /PAYLOAD_INVALID/,
      ['event', 'publish', 'bmad.workflow.started', '--json', '{}', '--validate', 'strict']);
    assert.equal(foreign.messages.length, before);
  });

  test('a payload that breaks its schema is published with a warning', async () => {
    const payload = '{"project_name":"p"}';
    const {out, err} = await succeeds(['event', 'publish', 'bmad.workflow.started', '--json', payload]);
    assert.match(err, /workflow_id/);
    const id = out.trim();
    await until('it is stored and flagged', () =>
      database.value('SELECT cardinality(payload_errors) > 0 FROM events WHERE event_id = $1', id));
  });

  test('--dry-run shows the event and publishes nothing', async () => {
    const before = foreign.messages.length;
    const {out} = await succeeds(['-o', 'json', 'event', 'publish', 'a.b', '--json', PAYLOAD, '--dry-run']);
    assert.equal(rawAt(out, 'payload'), PAYLOAD);
    assert.equal(foreign.messages.length, before);
  });

  test('get shows an event in each format, digit for digit', async () => {
    const id = await publish(['artifact.created', '--json', PAYLOAD]);
    const json = (await succeeds(['event', 'get', id, '-o', 'json'])).out;
    assert.equal(json.trimEnd(), (await rest.get(`/api/v1/events/${id}`)).text, 'what REST answers, byte for byte');
    const lines = (await succeeds(['event', 'get', id, '-o', 'jsonl'])).out.trimEnd().split('\n');
    assert.equal(lines.length, 1);
    assert.equal(rawAt(lines[0], 'payload'), PAYLOAD);
    for (const format of ['table', 'yaml']) {
      const {out} = await succeeds(['event', 'get', id, '-o', format]);
      assert.ok(out.includes(id) && out.includes('123456789012345678901234567890'), out);
    }
    await fails(NOT_FOUND, /EVENT_NOT_FOUND/, ['event', 'get', randomUUID()]);
    await fails(USAGE, /UUID/, ['event', 'get', 'x']);
  });

  test('list filters, pages and follows pages', async () => {
    const session = randomUUID();
    const ids = [];
    for (let i = 0; i < 7; ++i) {
      ids.push(await publish([`list.t${i % 2}`, '--json', JSON.stringify({session_id: session, i}),
        ...(i > 0 ? ['--correlation-id', ids[0]] : [])]));
    }
    const idsOf = (out) => out.trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line).event_id);
    const list = async (...args) => idsOf((await succeeds(['event', 'list', '-o', 'jsonl', ...args])).out);
    assert.deepEqual(await list('--session', session), ids);
    assert.deepEqual(await list('--session', session, '--order', 'desc', '--limit', '3'), ids.slice(-3).reverse());
    assert.deepEqual(await list('--session', session, '--all', '--limit', '2'), ids);
    assert.deepEqual(await list('--type', 'list.t1'), ids.filter((_, i) => i % 2 === 1));
    assert.deepEqual(await list('--type', 'list.*'), ids);
    assert.deepEqual(await list('--correlation', ids[0]), ids.slice(1));
    assert.deepEqual(await list('--session', session, '--since', '1h'), ids);
    assert.deepEqual(await list('--session', session, '--until', '1h'), []);

    const first = await succeeds(['event', 'list', '--session', session, '--limit', '4', '-o', 'json']);
    const page = JSON.parse(first.out);
    assert.deepEqual(page.events.map((event) => event.event_id), ids.slice(0, 4));
    assert.deepEqual(await list('--session', session, '--page-token', page.next_page_token), ids.slice(4));

    const {out: table} = await succeeds(['event', 'list', '--session', session]);
    for (const id of ids) assert.ok(table.includes(id), table);
    for (const bad of [['--limit', '0'], ['--limit', '1001'], ['--workflow', 'x'], ['--order', 'up'],
      ['--since', 'yesterday'], ['--unknown'], ['--type', 'a..b']]) {
      await fails(USAGE, new RegExp(bad[0]), ['event', 'list', ...bad]);
    }
    await fails(USAGE, /page/, ['event', 'list', '--page-token', 'x']);
  });

  test('types lists what is known and what was seen', async () => {
    await publish(['never.seen.before', '--json', '{}']);
    const {event_types: types} = JSON.parse((await succeeds(['event', 'types', '-o', 'json'])).out);
    const names = types.map((type) => type.name);
    assert.ok(names.includes('never.seen.before') && names.includes('bmad.workflow.started'));
    assert.match((await succeeds(['event', 'types'])).out, /never\.seen\.before/);
  });

  test('workflows are listed and shown', async () => {
    const workflow = randomUUID();
    await publish(['bmad.workflow.started', '--json',
      JSON.stringify({workflow_id: workflow, project_name: 'cli-project', phase: 'analysis'})]);
    const state = await until('the workflow is folded', async () => {
      const end = await god33(['workflow', 'get', workflow, '-o', 'json']);
      return end.code === DONE && JSON.parse(end.out);
    });
    assert.deepEqual([state.workflow_id, state.project_name, state.current_phase],
      [workflow, 'cli-project', 'analysis']);
    const list = async (...args) => {
      const {out} = await succeeds(['workflow', 'list', '-o', 'jsonl', ...args]);
      return out.trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line).workflow_id);
    };
    assert.deepEqual(await list('--project', 'cli-project', '--running'), [workflow]);
    assert.deepEqual(await list('--project', 'cli-project', '--completed'), []);
    assert.deepEqual(await list('--project', 'cli-project', '--phase', 'analysis', '--all'), [workflow]);
    assert.ok((await succeeds(['workflow', 'list'])).out.includes(workflow));
    assert.ok((await succeeds(['workflow', 'get', workflow])).out.includes('cli-project'));
    await fails(NOT_FOUND, /WORKFLOW_NOT_FOUND/, ['workflow', 'get', randomUUID()]);
    await fails(USAGE, /UUID/, ['workflow', 'get', 'x']);
  });

  test('escape sequences in the text of agents are spelled out in every format', async () => {
    const event = canonical({event_type: 'odd.text', payload: {agent_id: '\u001b[31mred'}});
    const response = await rest.post('/api/v1/events', JSON.stringify(event));
    assert.equal(response.status, 201);
    for (const format of ['table', 'yaml', 'json', 'jsonl']) {
      const {out} = await succeeds(['event', 'get', event.event_id, '-o', format]);
      assert.ok(!out.includes('\u001b'), format);
    }
  });

  test('help and usage', async () => {
    for (const args of [[], ['event'], ['event', 'publish'], ['event', 'get'], ['event', 'list'], ['event', 'types'],
      ['workflow'], ['workflow', 'list'], ['workflow', 'get'], ['workflow', 'timeline'], ['agent'], ['agent', 'list'],
      ['agent', 'get'], ['agent', 'checkpoints'], ['agent', 'events'], ['status']]) {
      assert.match((await succeeds([...args, '--help'])).out, /Usage/, args.join(' '));
    }
    assert.match((await succeeds(['--version'])).out, /^god33 \d/);
    await fails(USAGE, /./, []);
    await fails(USAGE, /./, ['nothing']);
    await fails(USAGE, /output/, ['-o', 'xml', 'status']);
  });

  test('bash completes commands, options and their values', async () => {
    const complete = async (...words) => {
      const {code, stdout, stderr} = await run('/bin/bash', ['--norc', '-c',
        'source <("$0" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _god33; echo "${COMPREPLY[@]}"',
        executable('god33'), 'god33', ...words], {env: environment, timeout: 30_000});
      assert.equal(code, 0, stderr);
      return stdout.toString().trim().split(' ');
    };
    assert.deepEqual(await complete('ev'), ['event']);
    assert.deepEqual(await complete('event', 're'), ['replay']);
    assert.deepEqual((await complete('event', 'replay', 'list', '--state', '')).sort(),
      ['cancelled', 'completed', 'failed', 'running']);
    assert.deepEqual((await complete('dlq', 'list', '--state', '')).sort(), ['all', 'dropped', 'open', 'sent_back']);
    assert.deepEqual(await complete('-o', 'json', 'workflow', 'li'), ['list']);
    assert.deepEqual(await complete('workflow', 'list', '-o', 'y'), ['yaml']);
    assert.deepEqual(await complete('event', 'schema', 'bmad.workflow.st'), ['bmad.workflow.started']);
    assert.deepEqual(await complete('event', 'list', '--wa'), ['--watch']);
  });

  test('an event that no queue takes is an error', async () => {
    const empty = `nobody.listens.${randomUUID()}`;
    await withChannel(set.urls.RABBITMQ_URL, (channel) => channel.assertExchange(empty, 'topic', {durable: false}));
    await fails(FAILED, /UNROUTABLE/, ['event', 'publish', 'a.b', '--json', '{}', '--exchange', empty]);
    await withChannel(set.urls.RABBITMQ_URL, (channel) => channel.deleteExchange(empty));
    const missing = await god33(['event', 'publish', 'a.b', '--json', '{}', '--exchange', 'no.such.exchange']);
    assert.notEqual(missing.code, DONE);
    assert.equal(missing.out, '');
  });

  // ---- With something away

  test('status says what is there, and ends with 5 when something is not', async () => {
    const {out} = await succeeds(['status', '-o', 'json']);
    const overview = JSON.parse(out);
    assert.ok(out.includes(services.api.grpc) && out.includes(services.manager.grpc), out);
    assert.ok(JSON.stringify(overview).includes('"serving"'));
    assert.ok(!out.includes(new URL(set.urls.RABBITMQ_URL).password), 'no secrets');
    assert.match((await succeeds(['status'])).out, /event-store-manager/);

    await services.api.stop();
    const failing = await god33(['status']);
    assert.equal(failing.code, UNAVAILABLE);
    assert.match(failing.err, /event-store-api/);
    await fails(UNAVAILABLE, /./, ['event', 'list', '--timeout', '2s']);
    await fails(UNAVAILABLE, /./, ['workflow', 'list', '--timeout', '2s']);
    await services.api.startAgain();
    await services.api.untilHealthy();
    await succeeds(['status']);
  });

  test('publish does without the services, but not without the broker', async () => {
    await services.manager.stop();
    const {out} = await succeeds(['event', 'publish', 'a.b', '--json', '{}']);
    await services.manager.start();
    await until('it is stored', () => database.value('SELECT true FROM events WHERE event_id = $1', out.trim()));

    await fails(UNAVAILABLE, /./, ['event', 'publish', 'a.b', '--json', '{}', '--timeout', '2s'],
      {env: {RABBITMQ_URL: 'amqp://god33:x@127.0.0.1:1'}});
    const wrong = new URL(set.urls.RABBITMQ_URL);
    wrong.password = 'wrong';
    const refused = await god33(['event', 'publish', 'a.b', '--json', '{}'], {env: {RABBITMQ_URL: wrong.href}});
    assert.notEqual(refused.code, DONE);
    assert.equal(refused.out, '');
    await fails(USAGE, /RABBITMQ_URL/, ['event', 'publish', 'a.b', '--json', '{}'], {env: {RABBITMQ_URL: ''}});
  });

  test('a queue that refuses more is an error', async () => {
    await services.manager.stop();
    await withChannel(set.urls.RABBITMQ_URL, async (channel) => {
      await channel.deleteQueue(QUEUE);
      await channel.assertQueue(QUEUE,
        {durable: true, arguments: {'x-max-length': 1, 'x-overflow': 'reject-publish'}});
      await channel.bindQueue(QUEUE, 'bloodbank.events.v1', '#');
    });
    await succeeds(['event', 'publish', 'a.b', '--json', '{}']);
    const refused = await god33(['event', 'publish', 'a.b', '--json', '{}']);
    assert.notEqual(refused.code, DONE);
    assert.equal(refused.out, '');
  });
});
