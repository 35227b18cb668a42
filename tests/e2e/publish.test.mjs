// What comes in over the bus, by REST and by gRPC is stored once and comes back as it was.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {ForeignQueue, Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {canonical, canonicalText, EXCHANGE, sha256, uuid5} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {publishWithPika} from './support/pika.mjs';
import {rawAt} from './support/raw_json.mjs';
import {Rest} from './support/rest.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

// A payload that most JSON libraries, jsonb and google.protobuf.Struct would change.
const AWKWARD = String.raw`{ "z": 123456789012345678901234567890, "a":0.100000000000000005551115123125,
  "huge":1e400,"tiny":-1E-400,"zero":-0.0,"hundred":100.00e+0,"long":18446744073709551616,
  "nul":"a\u0000b","key\u0000":1,"half":"\ud800","pair":"\ud83d\ude00","escapes":"\/\b\u00e9é\"\\",
  "twice":1,"twice":{"b":[],"a":{}},"":null,"list":[1, 1.0,1e0 ,true,null,[[]],{}]}`;

describe('publishing', () => {
  let set, services, database, publisher, foreign, rest, manager, api;

  before(async () => {
    set = await TestSet.start('publish');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    foreign = await ForeignQueue.bind(set.urls.RABBITMQ_URL);
    rest = new Rest(services.gateway.rest);
    api = await EventStoreClient.discover(services.api.grpc);
    manager = await EventStoreClient.discover(services.manager.grpc);
  });

  after(async () => {
    await publisher?.close();
    await foreign?.close();
    api?.close();
    manager?.close();
    await set?.end();
  });

  // The event as REST tells it, once it is stored.
  const stored = async (id) => {
    const response = await until(`${id} is stored`, async () => {
      const answer = await rest.get(`/api/v1/events/${id}`);
      return answer.status === 200 && answer;
    });
    return {text: response.text, event: JSON.parse(response.text)};
  };

  const countOf = (id) => database.value('SELECT count(*) FROM events WHERE event_id = $1', id);

  test('reflection names the service and its methods', () => {
    assert.ok(api.services.includes('god33.store.v1.EventStoreService'));
    assert.ok(api.services.includes('grpc.health.v1.Health'));
    for (const method of ['AppendEvent', 'AppendEvents', 'ListEvents', 'GetEvent', 'ListEventTypes',
      'ListWorkflows', 'GetWorkflow']) {
      assert.ok(manager.methods().includes(method), method);
    }
  });

  test('a payload from the bus comes back by REST, gRPC and SQL digit for digit', async () => {
    const id = randomUUID();
    await publisher.publish('a.b', canonicalText({event_id: id, event_type: 'a.b'}, AWKWARD), {messageId: id});
    const {text} = await stored(id);
    assert.equal(rawAt(text, 'payload'), AWKWARD);

    const list = await rest.get('/api/v1/events', {order: 'desc', limit: 1});
    assert.equal(rawAt(list.text, 'events', 0, 'payload'), AWKWARD);

    assert.equal((await api.call('GetEvent', {event_id: id})).event.payload.text, AWKWARD);
    const page = await api.call('ListEvents', {event_type: ['a.b']});
    assert.equal(page.events[0].payload.text, AWKWARD);

    assert.equal(await database.value('SELECT payload::text FROM events WHERE event_id = $1', id), AWKWARD);
  });

  test('a payload posted by REST goes to the bus and comes back digit for digit', async () => {
    const id = randomUUID();
    const response = await rest.post('/api/v1/events', canonicalText({event_id: id, event_type: 'a.b'}, AWKWARD));
    assert.equal(response.status, 201);
    assert.equal(rawAt((await stored(id)).text, 'payload'), AWKWARD);
    const [message] = await until('it is on the bus', () => foreign.find(id).length > 0 && foreign.find(id));
    assert.equal(rawAt(message.content.toString(), 'payload'), AWKWARD);
  });

  test('a payload appended by gRPC comes back digit for digit', async () => {
    const {event_id: id} = await manager.call('AppendEvent', {event: {event_type: 'a.b', payload: {text: AWKWARD}}});
    assert.equal(rawAt((await stored(id)).text, 'payload'), AWKWARD);
    assert.equal((await api.call('GetEvent', {event_id: id})).event.payload.text, AWKWARD);
  });

  test('meta keeps its digits, too', async () => {
    const id = randomUUID();
    const meta = '{"n":123456789012345678901234567890,"d":1.10}';
    const event = JSON.stringify(canonical({event_id: id, source: {host: 'h', type: 'agent', app: 'x', meta: 'META'},
      agent_context: {type: 't', meta: 'META'}})).replaceAll('"META"', meta);
    await publisher.publish('fireflies.transcript.ready', event);
    const {text} = await stored(id);
    assert.equal(rawAt(text, 'source', 'meta'), meta);
    assert.equal(rawAt(text, 'agent_context', 'meta'), meta);
  });

  test('every field of the envelope comes back', async () => {
    const parents = [randomUUID(), randomUUID()];
    const event = canonical({
      event_type: 'agent.tool.invoked',
      correlation_ids: parents,
      agent_context: {
        type: 'letta-python-dev', name: 'Python Developer', system_prompt: 'p', instance_id: 'letta-1',
        mcp_servers: ['m'], file_references: ['f'], url_references: ['u'],
        code_state: {repo_url: 'r', branch: 'b', working_diff: 'w', branch_diff: 'd', last_commit_hash: 'c'},
        checkpoint_id: 'cp', meta: {x: 1},
      },
      payload: {tool: 'grep'},
    });
    await publisher.publishEvent(event);
    const answer = (await stored(event.event_id)).event;
    const {position, recorded_at: recordedAt, payload_errors: errors, ...published} = answer;
    assert.deepEqual(published, event);
    assert.equal(typeof position, 'number');
    assert.match(recordedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
    assert.deepEqual(errors, []);
  });

  test('times with zero to six digits and any offset are one instant', async () => {
    const times = {
      '2026-01-27T10:00:00Z': '2026-01-27T10:00:00Z',
      '2026-01-27T10:00:00.1Z': '2026-01-27T10:00:00.100Z',
      '2026-01-27T10:00:00.123456+00:00': '2026-01-27T10:00:00.123456Z',
      '2026-01-27T12:00:00.12345+02:00': '2026-01-27T10:00:00.123450Z',
      '2026-01-27T04:30:00-05:30': '2026-01-27T10:00:00Z',
    };
    for (const [given, expected] of Object.entries(times)) {
      const event = canonical({timestamp: given});
      await publisher.publishEvent(event);
      assert.equal((await stored(event.event_id)).event.timestamp, expected, given);
    }
  });

  // ---- Shapes

  // Each producer's own shape as it is on the bus, and what becomes of it. `id` is expected of the body.
  const parent = randomUUID();
  const cause = randomUUID();
  const time = '2026-01-27T10:00:00Z';
  const own = () => randomUUID();
  const shapes = [
    {
      producer: 'command adapter', routingKey: 'command.letta.start.ack',
      body: {event_id: own(), event_type: 'command.ack', timestamp: time, version: '1.0.0', producer: 'adapter',
        source: {host: 'h', type: 'agent', app: 'command-adapter', meta: null},
        correlation_id: parent, causation_id: cause, payload: {ok: true}},
      expected: {event_type: 'command.ack', correlation_ids: [parent, cause], payload: {ok: true},
        source: {host: 'h', type: 'agent', app: 'command-adapter', meta: {producer: 'adapter'}}},
      storedKey: 'command.letta.start.ack',
    },
    {
      producer: 'hook bridge', routingKey: 'agent.tool.completed',
      body: {event_id: own(), event_type: 'agent.tool.completed', timestamp: time, version: '1.0.0',
        source: {host: 'h', type: 'hook', app: 'hook-bridge', trigger_type: 'post_tool'},
        correlation_id: parent, correlation_ids: [cause], agent_context: null, payload: {tool: 'grep'}},
      expected: {correlation_ids: [cause, parent],
        source: {host: 'h', type: 'hook', app: 'hook-bridge', meta: {trigger_type: 'post_tool'}}},
    },
    {
      producer: 'zellij-driver', routingKey: 'agent.session.started',
      body: {event_type: 'agent.session.started', timestamp: time, payload: {pane: 1},
        metadata: {source: 'zellij-driver', version: '0.3', correlation_id: parent, session: 'main'}},
      id: (text) => uuid5(`bloodbank:agent.session.started:${sha256(text)}`),
      expected: {correlation_ids: [parent], payload: {pane: 1},
        source: {host: 'unknown', type: 'manual', app: 'zellij-driver', meta: {version: '0.3', session: 'main'}}},
    },
    {
      producer: 'hookd', routingKey: 'agent.tool.invoked',
      body: {event_type: 'agent.tool.invoked', hook_type: 'PreToolUse', tool_name: 'Edit', agent_id: 'claude-1',
        repo: {name: 'r'}, file_path: 'a.py', file_ext: '.py', lines_changed: 3, raw_payload: {x: 1},
        timestamp: time, source_pid: 7, correlation_id: parent},
      id: (text) => uuid5(`bloodbank:agent.tool.invoked:${sha256(text)}`),
      expected: {correlation_ids: [parent], source: {host: 'unknown', type: 'hook', app: 'hookd', meta: null},
        payload: {hook_type: 'PreToolUse', tool_name: 'Edit', agent_id: 'claude-1', repo: {name: 'r'},
          file_path: 'a.py', file_ext: '.py', lines_changed: 3, raw_payload: {x: 1}, source_pid: 7}},
    },
    {
      producer: 'tonny', routingKey: 'agent.message.sent',
      body: {event_id: own(), event_type: 'agent.message.sent', timestamp: time, source: 'tonny/kitchen',
        target: 'letta', session_id: 's-1', payload: {text: 'hi'}},
      expected: {source: {host: 'kitchen', type: 'manual', app: 'tonny', meta: {target: 'letta', session_id: 's-1'}}},
    },
    {
      producer: 'legacy v1', routingKey: 'llm.prompt',
      body: {id: 'prompt-17', ts: time, event_type: 'llm.prompt', source: 'tonny', data: {prompt: 'p'}, target: 'x',
        correlation_id: 'prompt-16', session_id: 's-2'},
      id: () => uuid5('bloodbank:tonny:prompt-17'),
      expected: {correlation_ids: [uuid5('bloodbank:tonny:prompt-16')], payload: {prompt: 'p'},
        source: {host: 'unknown', type: 'manual', app: 'tonny', meta: {original_id: 'prompt-17',
          original_correlation_ids: ['prompt-16'], target: 'x', session_id: 's-2'}}},
    },
    {
      producer: 'CloudEvents', routingKey: 'github.pr.created',
      properties: {contentType: 'application/cloudevents+json'},
      body: {specversion: '1.0', id: own(), source: '/github/hooks', type: 'github.pr.created', time,
        data: {number: 4}, correlationid: parent, causationid: cause, dataschema: 'https://example.org/pr'},
      id: (_, body) => body.id,
      expected: {event_type: 'github.pr.created', correlation_ids: [parent, cause], payload: {number: 4},
        source: {host: 'unknown', type: 'service', app: '/github/hooks',
          meta: {dataschema: 'https://example.org/pr'}}},
    },
    {
      producer: 'one without an id but with a message id', routingKey: 'agent.heartbeat',
      properties: {messageId: '11111111-2222-4333-8444-555555555555'},
      body: {event_type: 'agent.heartbeat', timestamp: time, payload: {}},
      id: () => '11111111-2222-4333-8444-555555555555',
      expected: {payload: {}},
    },
  ];

  for (const {producer, routingKey, body, properties, id, expected, storedKey} of shapes) {
    test(`the shape of ${producer} is read`, async () => {
      const text = JSON.stringify(body);
      const eventId = id ? id(text, body) : body.event_id;
      await publisher.publish(routingKey, text, properties);
      const {event} = await stored(eventId);
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(event[field], value, field);
      assert.equal(event.timestamp, time);
      const row = await database.row(
        'SELECT routing_key, source::text, correlation_ids FROM events WHERE event_id = $1', eventId);
      assert.equal(row.routing_key, storedKey ?? null);
    });
  }

  test('Bloodbank\'s own vector of a repeatable id holds', () => {
    assert.equal(uuid5('bloodbank:fireflies.transcript.upload:meeting_id=abc123|user_id=user_456'),
      'dcbf406d-aaae-5a9a-8b36-38bb4f5ac1e7');
  });

  test('protobuf is read by its content type', async () => {
    const id = randomUUID();
    const body = api.encode('god33.event.v1.EventEnvelope', {
      event_id: id, event_type: 'agent.heartbeat', timestamp: {seconds: 1769508000, nanos: 123456000},
      source: {host: 'h', type: 'heartbeat', app: 'beat'}, correlation_ids: [parent],
      payload: {text: AWKWARD},
    });
    await publisher.publish('agent.heartbeat', body, {contentType: 'application/protobuf'});
    const {text, event} = await stored(id);
    assert.equal(rawAt(text, 'payload'), AWKWARD);
    assert.equal(event.timestamp, '2026-01-27T10:00:00.123456Z');
    assert.equal(event.version, '1.0.0');
    assert.deepEqual(event.source, {host: 'h', type: 'heartbeat', app: 'beat', meta: null});
    assert.deepEqual(event.correlation_ids, [parent]);
  });

  test('events that Python publishes with pika are stored', async () => {
    const events = Array.from({length: 20}, (_, i) => canonical({event_type: 'artifact.created', payload: {i}}));
    const confirmed = await publishWithPika(set.urls.RABBITMQ_URL, events.map((event) =>
      ({routing_key: event.event_type, body: JSON.stringify(event), message_id: event.event_id})));
    assert.equal(confirmed, events.length);
    for (const event of events) assert.deepEqual((await stored(event.event_id)).event.payload, event.payload);
  });

  test('an event published again and again with other spelling is stored once', async () => {
    const event = canonical({timestamp: '2026-01-27T10:00:00.500Z', payload: {a: 1, b: [1, 2]}});
    const again = {...event, timestamp: '2026-01-27T11:00:00.5+01:00', payload: {b: [1, 2], a: 1}};
    const {agent_context: _, ...short} = again;
    const duplicates = await services.manager.metric('god33_events_duplicate_total');
    for (const body of [event, again, short]) await publisher.publishEvent(body);
    await until('both duplicates are seen', async () =>
      (await services.manager.metric('god33_events_duplicate_total')) === duplicates + 2);
    assert.equal(await countOf(event.event_id), 1);
    assert.equal(await database.value('SELECT count(*) FROM dead_letters WHERE event_id = $1', event.event_id), 0);
  });

  // ---- REST

  test('POST answers 201 after the commit, and the event is on the bus as canonical JSON', async () => {
    const id = randomUUID();
    const event = {event_id: id, event_type: 'artifact.updated', timestamp: '2026-01-27T10:00:00.120Z',
      source: {host: 'h', type: 'service', app: 'x'}, correlation_ids: [parent], payload: {name: 'a', n: 1}};
    const response = await rest.post('/api/v1/events', JSON.stringify(event));
    assert.equal(response.status, 201);
    const answer = JSON.parse(response.text);
    assert.equal(answer.event_id, id);
    assert.equal(answer.position, await database.value('SELECT position FROM events WHERE event_id = $1', id));

    const messages = await until('it is on the bus', () => foreign.find(id).length > 0 && foreign.find(id));
    assert.equal(messages[0].content.toString(),
      `{"event_id":"${id}","event_type":"artifact.updated",` +
      '"timestamp":"2026-01-27T10:00:00.120Z","version":"1.0.0",' +
      '"source":{"host":"h","type":"service","app":"x","meta":null},' +
      `"correlation_ids":["${parent}"],"agent_context":null,"payload":{"name":"a","n":1}}`);
    assert.equal(messages[0].fields.routingKey, 'artifact.updated');
    assert.equal(messages[0].fields.exchange, EXCHANGE);
    const {messageId, deliveryMode, contentType, contentEncoding} = messages[0].properties;
    assert.deepEqual({messageId, deliveryMode, contentType, contentEncoding},
      {messageId: id, deliveryMode: 2, contentType: 'application/json', contentEncoding: 'utf-8'});
  });

  test('the copy of a posted event that comes back over the bus is not stored again', async () => {
    const duplicates = await services.manager.metric('god33_events_duplicate_total');
    const response = await rest.post('/api/v1/events', '{"event_type":"a.b","payload":{}}');
    const id = JSON.parse(response.text).event_id;
    await until('the copy came back', async () =>
      (await services.manager.metric('god33_events_duplicate_total')) > duplicates);
    assert.equal(await countOf(id), 1);
    assert.equal(await database.value('SELECT count(*) FROM event_ids WHERE event_id = $1', id), 1);
  });

  test('a short event gets its id, time, version and source from the store', async () => {
    const before = Date.now();
    const response = await rest.post('/api/v1/events', '{"event_type":"a.b","payload":{"x":1}}');
    assert.equal(response.status, 201);
    const {event} = await stored(JSON.parse(response.text).event_id);
    assert.ok(Math.abs(Date.parse(event.timestamp) - before) < 60_000);
    assert.equal(event.version, '1.0.0');
    assert.equal(event.source.type, 'service');
  });

  test('an event that is posted again answers with the first position', async () => {
    const body = JSON.stringify(canonical());
    const first = JSON.parse((await rest.post('/api/v1/events', body)).text);
    const response = await rest.post('/api/v1/events', body);
    assert.equal(response.status, 201);
    const second = JSON.parse(response.text);
    assert.deepEqual([second.event_id, second.position, second.duplicate], [first.event_id, first.position, true]);
  });

  test('a payload that breaks its schema is stored and flagged, or refused when strict', async () => {
    const event = canonical({event_type: 'bmad.workflow.started', payload: {workflow_id: 'no uuid'}});
    const refused = await rest.post('/api/v1/events', JSON.stringify(event), undefined, {validate: 'strict'});
    assert.equal(refused.status, 400);
    assert.equal(JSON.parse(refused.text).reason, 'PAYLOAD_INVALID');
    assert.equal(await countOf(event.event_id), 0);

    const taken = await rest.post('/api/v1/events', JSON.stringify(event));
    assert.equal(taken.status, 201);
    const errors = JSON.parse(taken.text).payload_errors;
    assert.ok(errors.some((error) => error.includes('workflow_id')), String(errors));
    assert.deepEqual((await stored(event.event_id)).event.payload_errors, errors);
  });

  test('what can\'t be posted is refused with a problem that names the field', async () => {
    const bad = [
      ['', undefined],
      ['{', undefined],
      ['[]', undefined],
      ['{"event_type":"a.b"}', 'event.payload'],
      ['{"event_type":"a.b","payload":[1]}', 'event.payload'],
      ['{"event_type":"a b","payload":{}}', 'event.event_type'],
      ['{"event_type":"a.b","payload":{},"event_id":"x"}', 'event.event_id'],
      ['{"event_type":"a.b","payload":{},"timestamp":"yesterday"}', 'timestamp'],
      ['{"event_type":"a.b","payload":{},"surprise":1}', 'surprise'],
    ];
    const before = await database.value('SELECT count(*) FROM events');
    for (const [body, field] of bad) {
      const response = await rest.post('/api/v1/events', body);
      assert.equal(response.status, 400, body);
      assert.match(response.headers['content-type'], /^application\/problem\+json/);
      const problem = JSON.parse(response.text);
      if (field) assert.ok(problem.field?.endsWith(field), `${body}: ${response.text}`);
    }
    assert.equal((await rest.post('/api/v1/events', 'a=b', ['Content-Type: text/plain'])).status, 415);
    assert.equal(await database.value('SELECT count(*) FROM events'), before);
  });

  test('an id that is taken by other content is refused', async () => {
    const event = canonical({payload: {n: 1}});
    assert.equal((await rest.post('/api/v1/events', JSON.stringify(event))).status, 201);
    const response = await rest.post('/api/v1/events', JSON.stringify({...event, payload: {n: 2}}));
    assert.equal(response.status, 409);
    assert.equal(JSON.parse(response.text).reason, 'ID_CONFLICT');
    assert.deepEqual((await stored(event.event_id)).event.payload, {n: 1});
  });

  // ---- gRPC

  const event = (fields) => ({event_id: randomUUID(), event_type: 'a.b', payload: {text: '{}'},
    timestamp: {seconds: '1769508000', nanos: 0}, ...fields});

  test('an append with the version it expects advances the aggregate', async () => {
    const aggregate = `task/${randomUUID()}`;
    for (let version = 0; version < 3; ++version) {
      const answer = await manager.call('AppendEvent', {event: event(), aggregate, expected_version: version});
      assert.equal(answer.aggregate_version, String(version + 1));
    }
    await assert.rejects(manager.call('AppendEvent', {event: event(), aggregate, expected_version: 2}),
      {code: 'ABORTED', reason: 'VERSION_CONFLICT', domain: 'god33'});
    await assert.rejects(manager.call('AppendEvent', {event: event(), aggregate, expected_version: 0}),
      {code: 'ABORTED', reason: 'VERSION_CONFLICT'});
    const versions = await database.rows(
      'SELECT aggregate_version FROM events WHERE aggregate = $1 ORDER BY position', aggregate);
    assert.deepEqual(versions.map((row) => row.aggregate_version), [1, 2, 3]);
  });

  test('of conflicting appends exactly one wins each version', async () => {
    const aggregate = `session/${randomUUID()}`;
    const writers = 8;
    const rounds = 25;
    let conflicts = 0;
    const winners = [];
    for (let version = 0; version < rounds; ++version) {
      const outcomes = await Promise.allSettled(Array.from({length: writers}, () =>
        manager.call('AppendEvent', {event: event(), aggregate, expected_version: version})));
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      assert.equal(won.length, 1, `version ${version}`);
      winners.push(won[0].value.event_id);
      for (const {reason} of outcomes.filter((outcome) => outcome.status === 'rejected')) {
        assert.equal(reason.reason, 'VERSION_CONFLICT');
        ++conflicts;
      }
    }
    assert.equal(conflicts, rounds * (writers - 1));
    const rows = await database.rows(
      'SELECT event_id, aggregate_version FROM events WHERE aggregate = $1 ORDER BY position', aggregate);
    assert.deepEqual(rows.map((row) => row.event_id), winners);
    assert.deepEqual(rows.map((row) => row.aggregate_version), winners.map((_, i) => i + 1));
  });

  test('a retry of an append is answered like the first, even when its version has passed', async () => {
    const aggregate = `task/${randomUUID()}`;
    const request = {event: event(), aggregate, expected_version: 0};
    const first = await manager.call('AppendEvent', request);
    assert.equal(first.duplicate, false);
    const second = await manager.call('AppendEvent', request);
    assert.deepEqual([second.position, second.duplicate, second.aggregate_version], [first.position, true, '1']);
    assert.equal(await countOf(request.event.event_id), 1);
  });

  test('an appended id with other content is ALREADY_EXISTS', async () => {
    const first = event();
    await manager.call('AppendEvent', {event: first});
    await assert.rejects(manager.call('AppendEvent', {event: {...first, payload: {text: '{"other":1}'}}}),
      {code: 'ALREADY_EXISTS', reason: 'ID_CONFLICT', field: 'event_id'});
  });

  test('several events are appended next to each other, or none of them', async () => {
    const aggregate = `workflow/${randomUUID()}`;
    const events = Array.from({length: 1000}, () => event());
    const {results} = await manager.call('AppendEvents', {events, aggregate, expected_version: 0});
    const positions = results.map((result) => Number(result.position));
    assert.deepEqual(positions, events.map((_, i) => positions[0] + i));
    assert.deepEqual(results.map((result) => result.event_id), events.map((each) => each.event_id));
    assert.equal(results.at(-1).aggregate_version, String(events.length));

    const spoiled = [event(), event(), {...event(), payload: {text: '[]'}}];
    await assert.rejects(manager.call('AppendEvents', {events: spoiled}),
      {code: 'INVALID_ARGUMENT', field: 'events[2].payload'});
    const conflicting = [event(), {...events[0], payload: {text: '{"other":1}'}}];
    await assert.rejects(manager.call('AppendEvents', {events: conflicting}), {code: 'ALREADY_EXISTS'});
    for (const each of [spoiled[0], spoiled[1], conflicting[0]]) assert.equal(await countOf(each.event_id), 0);
    await assert.rejects(manager.call('AppendEvents', {events: [...events, event()]}),
      {code: 'INVALID_ARGUMENT', field: 'events'});
  });

  test('all appended events reach the bus in the order of their positions', async () => {
    const appended = await database.rows('SELECT event_id FROM events WHERE appended ORDER BY position');
    await until('the bus has seen all', () => {
      const seen = new Set(foreign.messages.map((message) => message.properties.messageId));
      return appended.every((row) => seen.has(row.event_id));
    });
    const ids = new Set(appended.map((row) => row.event_id));
    const order = foreign.messages.map((message) => message.properties.messageId).filter((id) => ids.has(id));
    assert.deepEqual([...new Set(order)], appended.map((row) => row.event_id));
  });

  test('nothing of all this became a dead letter', async () => {
    assert.equal(await database.value('SELECT count(*) FROM dead_letters'), 0);
    assert.ok(services.manager.running && services.api.running && services.gateway.running);
  });
});
