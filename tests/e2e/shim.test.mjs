// What the gateway adds to REST for its clients: the description, tags, compression, pages of other origins,
// arrays, and the array that old readers expect.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Validator} from '@seriousme/openapi-schema-validator';
import {canonical} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {LiveSocket} from './support/live.mjs';
import {Rest} from './support/rest.mjs';
import {TestSet} from './support/set.mjs';

const ORIGIN = 'https://dashboard.example';

describe('the REST shim', () => {
  let set, services, rest;

  before(async () => {
    set = await TestSet.start('shim');
    services = await set.all({GOD33_CORS_ORIGINS: `${ORIGIN}, http://localhost:5173`});
    rest = new Rest(services.gateway.rest);
  });

  after(() => set?.end());

  const url = (path) => `http://${services.gateway.rest}${path}`;

  const append = async (events) => {
    const response = await rest.post('/api/v1/events', JSON.stringify(events));
    assert.equal(response.status, 201, response.text);
    return JSON.parse(response.text);
  };

  const problem = (response, status, reason, field) => {
    assert.equal(response.status, status, response.text);
    const body = JSON.parse(response.text);
    assert.deepEqual([body.reason, body.field], [reason, field]);
  };

  test('the description is valid OpenAPI and names every route', async () => {
    const document = JSON.parse((await rest.get('/openapi.json')).text);
    const verdict = await new Validator().validate(document);
    assert.ok(verdict.valid, JSON.stringify(verdict.errors, null, 2));
    assert.equal(document.openapi, '3.1.0');
    for (const path of ['/api/v1/events', '/api/v1/events/{event_id}', '/api/v1/workflows/{workflow_id}', '/api/v1/tasks/{task_id}',
      '/api/v1/agents/{agent_id}/checkpoints/{checkpoint_id}', '/api/v1/feedback']) {
      assert.ok(document.paths[path].get.summary.length > 5, path);
    }
    assert.ok(document.paths['/api/v1/events'].post);
    assert.ok(document.paths['/healthz'].get);
    assert.match(document.components.schemas.EventEnvelope.properties.payload.description, /digit/);
  });

  test('every parameter that the description names is taken', async () => {
    const document = JSON.parse((await rest.get('/openapi.json')).text);
    for (const {name, in: place, schema} of document.paths['/api/v1/events'].get.parameters) {
      assert.equal(place, 'query');
      // A value of the wrong kind is refused by name; the field is not unknown.
      const response = await rest.get('/api/v1/events', {[name]: schema.type === 'integer' ? 'x' : '\u0001'});
      const {detail, field} = JSON.parse(response.text);
      if (response.status === 200) continue;
      assert.equal(field, name);
      assert.doesNotMatch(detail, /unknown/);
    }
  });

  test('the description of the live stream is what the stream does', async () => {
    const {paths, components: {schemas}} = JSON.parse((await rest.get('/openapi.json')).text);
    const {parameters, responses} = paths['/api/v1/events/stream'].get;
    assert.deepEqual(Object.keys(responses), ['101', '200', '4XX', '5XX']);
    assert.deepEqual(parameters.filter((parameter) => parameter.in === 'header').map((parameter) => parameter.name),
      ['Last-Event-ID']);
    for (const {name} of parameters.filter((parameter) => parameter.in === 'query')) {
      const response = await rest.get('/api/v1/events/stream', {[name]: '\0'});
      assert.equal(response.status, 400, name);
      assert.doesNotMatch(response.text, /no such parameter/, name);
    }
    const socket = await LiveSocket.open(services.gateway, {after: 0});
    await append(canonical());
    socket.say({type: 'ping'});
    socket.say({type: 'nonsense'});
    const kinds = ['subscribed', 'event', 'heartbeat', 'pong', 'error'];
    await socket.until('each kind has come', () => kinds.every((kind) => socket.of(kind).length > 0));
    for (const {at, ...frame} of socket.frames) {
      const fitting = schemas.LiveFrame.oneOf.map(({$ref}) => schemas[$ref.split('/').at(-1)])
        .filter(({properties}) => properties.type.const === frame.type);
      assert.equal(fitting.length, 1, frame.type);
      for (const name of Object.keys(frame)) assert.ok(fitting[0].properties[name], `${frame.type}.${name}`);
      for (const name of fitting[0].required) assert.ok(name in frame, `${frame.type}.${name}`);
    }
    const {filters} = schemas.LiveSubscribe.properties;
    const values = {event_types: ['a.*'], workflow_id: randomUUID(), correlation_id: randomUUID(), agent_id: 'a', project: 'p'};
    assert.deepEqual(Object.keys(values), Object.keys(filters.properties));
    socket.say({type: 'subscribe', filters: values, after: 0});
    await socket.until('it is subscribed again', () => socket.of('subscribed').length === 2);
    socket.close();
  });

  test('a single event is sent once to who keeps it', async () => {
    const event = canonical({payload: {n: 1}});
    await append(event);
    const first = await fetch(url(`/api/v1/events/${event.event_id}`));
    const tag = first.headers.get('etag');
    assert.match(tag, /^W\/"[0-9a-f]{32}"$/);
    const again = await fetch(url(`/api/v1/events/${event.event_id}`), {headers: {'If-None-Match': tag}});
    assert.equal(again.status, 304);
    assert.equal(await again.text(), '');
    assert.equal(again.headers.get('etag'), tag);
    const other = await fetch(url(`/api/v1/events/${event.event_id}`), {headers: {'If-None-Match': '"x"'}});
    assert.equal(other.status, 200);
  });

  test('a long answer is compressed for who asks, and the same text', async () => {
    const event = canonical({payload: {text: 'long '.repeat(2000)}});
    await append(event);
    const path = `/api/v1/events/${event.event_id}`;
    const plain = await rest.get(path);
    assert.equal(plain.headers['content-encoding'], undefined);
    const response = await fetch(url(path), {headers: {'Accept-Encoding': 'gzip'}});
    assert.equal(response.headers.get('content-encoding'), 'gzip');
    assert.equal(await response.text(), plain.text);
  });

  test('pages of allowed origins may call, others not', async () => {
    const preflight = (origin) => fetch(url('/api/v1/events'), {method: 'OPTIONS', headers: {
      Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type'}});
    const allowed = await preflight(ORIGIN);
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-origin'), ORIGIN);
    assert.match(allowed.headers.get('access-control-allow-methods'), /POST/);
    assert.match(allowed.headers.get('access-control-allow-headers'), /Content-Type/);
    const refused = await preflight('https://evil.example');
    assert.equal(refused.headers.get('access-control-allow-origin'), null);

    const answer = await fetch(url('/api/v1/events?limit=1'), {headers: {Origin: ORIGIN}});
    assert.equal(answer.headers.get('access-control-allow-origin'), ORIGIN);
    const error = await fetch(url('/api/v1/events?limit=0'), {headers: {Origin: ORIGIN}});
    assert.equal(error.status, 400);
    assert.equal(error.headers.get('access-control-allow-origin'), ORIGIN, 'errors are readable, too');
  });

  test('an array is appended as a whole, in its order', async () => {
    const events = Array.from({length: 5}, (_, i) => canonical({payload: {i}}));
    const {results} = await append(events);
    assert.deepEqual(results.map((result) => result.event_id), events.map((event) => event.event_id));
    assert.deepEqual(results.map((result) => result.position - results[0].position), [0, 1, 2, 3, 4]);
    const again = await append(events);
    assert.ok(again.results.every((result) => result.duplicate));
  });

  test('an array with a bad event stores none of it', async () => {
    const good = canonical();
    problem(await rest.post('/api/v1/events', JSON.stringify([good, canonical({event_type: 'a b'})])),
      400, 'INVALID_ARGUMENT', 'events[1].event_type');
    assert.equal((await rest.get(`/api/v1/events/${good.event_id}`)).status, 404);
    problem(await rest.post('/api/v1/events', '[]'), 400, 'INVALID_ARGUMENT', 'events');
    const many = Array.from({length: 1001}, () => canonical());
    problem(await rest.post('/api/v1/events', JSON.stringify(many)), 400, 'INVALID_ARGUMENT', 'events');
    problem(await rest.post('/api/v1/events', '[1]'), 400, 'INVALID_ARGUMENT', 'events[0]');
  });

  test('an array advances its aggregate', async () => {
    const aggregate = `task/${randomUUID()}`;
    const post = (version) => rest.post('/api/v1/events', JSON.stringify([canonical(), canonical()]), undefined,
      {aggregate, expected_version: version});
    assert.equal(JSON.parse((await post(0)).text).results[1].aggregate_version, 2);
    problem(await post(0), 409, 'VERSION_CONFLICT', 'expected_version');
  });

  // Events without id and time, under a key.
  const keyed = (key, body) => rest.post('/api/v1/events', JSON.stringify(body),
    ['Content-Type: application/json', `Idempotency-Key: ${key}`]);

  test('a request that is sent again under its key is carried out once', async () => {
    const key = randomUUID();
    const body = {event_type: 'a.b', payload: {key}};
    const first = JSON.parse((await keyed(key, body)).text);
    const again = JSON.parse((await keyed(key, body)).text);
    assert.deepEqual(again, {...first, duplicate: true});
    const many = await Promise.all(Array.from({length: 20}, () => keyed(key, body)));
    assert.deepEqual(new Set(many.map((response) => response.text)), new Set([JSON.stringify(again)]));
    assert.notEqual(JSON.parse((await keyed(randomUUID(), body)).text).event_id, first.event_id);
  });

  test('twenty first requests at once store one event', async () => {
    const key = randomUUID();
    const many = await Promise.all(Array.from({length: 20}, () => keyed(key, {event_type: 'a.b', payload: {}})));
    assert.deepEqual(new Set(many.map((response) => JSON.parse(response.text).position)).size, 1);
  });

  test('an array under a key is carried out once, too', async () => {
    const key = randomUUID();
    const body = [{event_type: 'a.b', payload: {n: 1}}, {event_type: 'a.b', payload: {n: 2}}];
    const first = JSON.parse((await keyed(key, body)).text);
    const again = JSON.parse((await keyed(key, body)).text);
    assert.deepEqual(again.results, first.results.map((result) => ({...result, duplicate: true})));
    problem(await keyed(key, body.slice(0, 1)), 422, 'IDEMPOTENCY_KEY_REUSED', 'idempotency-key');
  });

  test('a key of another request is refused, and one that is none', async () => {
    const key = randomUUID();
    problem(await keyed(key, {event_type: 'a b', payload: {}}), 400, 'INVALID_ARGUMENT', 'event.event_type');
    assert.equal((await keyed(key, {event_type: 'a.b', payload: {}})).status, 201, 'a request that was refused holds no key');
    problem(await keyed(key, {event_type: 'a.b', payload: {n: 1}}), 422, 'IDEMPOTENCY_KEY_REUSED', 'idempotency-key');
    for (const bad of ['two words', 'é', 'x'.repeat(256)]) {
      problem(await keyed(bad, {event_type: 'a.b', payload: {}}), 400, 'INVALID_ARGUMENT', 'idempotency-key');
    }
  });

  test('an append that expects a version is carried out once under its key', async () => {
    const aggregate = `task/${randomUUID()}`;
    const post = () => rest.post('/api/v1/events', '{"event_type":"a.b","payload":{}}',
      ['Content-Type: application/json', `Idempotency-Key: ${aggregate}`], {aggregate, expected_version: 0});
    assert.equal((await post()).status, 201);
    const again = await post();
    assert.equal(again.status, 201, again.text);
    assert.equal(JSON.parse(again.text).duplicate, true);
  });

  test('old readers find the bare array, the newest first', async () => {
    const events = JSON.parse((await rest.get('/legacy/api/v1/events', {limit: 3})).text);
    assert.ok(Array.isArray(events));
    assert.equal(events.length, 3);
    assert.ok(events[0].position > events[1].position && events[1].position > events[2].position);
    const oldest = JSON.parse((await rest.get('/legacy/api/v1/events', {limit: 1, order: 'asc'})).text);
    assert.equal(oldest[0].position, 1);
    problem(await rest.get('/legacy/api/v1/events', {limit: 0}), 400, 'INVALID_ARGUMENT', 'limit');
    assert.equal((await rest.get('/other/api/v1/events')).status, 404);
    const client = await EventStoreClient.discover(services.api.grpc);
    await assert.rejects(client.call('ListEvents', {generation: 'x'}), (error) => error.reason === 'INVALID_ARGUMENT');
    client.close();
  });
});
