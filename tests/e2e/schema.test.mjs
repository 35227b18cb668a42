// What `god33 event schema` says of payloads is what the store holds them to.

import assert from 'node:assert/strict';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import {after, before, describe, test} from 'node:test';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

describe('god33 event schema', () => {
  let set, services, rest, types, environment;

  before(async () => {
    set = await TestSet.start('schema');
    services = await set.all();
    rest = new Rest(services.gateway.rest);
    environment = {
      ...BASE_ENVIRONMENT,
      RABBITMQ_URL: set.urls.RABBITMQ_URL,
      GOD33_EVENT_STORE_API_ADDR: services.api.grpc,
    };
    const {event_types: known} = JSON.parse((await rest.get('/api/v1/event-types')).text);
    types = known.filter((type) => type.registered).map((type) => type.name);
    assert.ok(types.length >= 23, types.join());
  });

  after(() => set?.end());

  // {code, out, err}
  const god33 = async (args, {input, env = {}} = {}) => {
    const end = await run(executable('god33'), args, {env: {...environment, ...env}, input, timeout: 30_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const printed = async (...args) => {
    const {code, out, err} = await god33(args);
    assert.equal(code, 0, err);
    return out;
  };

  const schemaOf = async (type) => JSON.parse(await printed('event', 'schema', type, '-o', 'json'));

  const exampleOf = async (type) => JSON.parse(await printed('event', 'schema', type, '--example'));

  const compile = (schema) => {
    const ajv = new Ajv({strict: true, strictRequired: false, strictTypes: false, allErrors: true});
    addFormats(ajv);
    return ajv.compile(schema);
  };

  // What the store says with validate=strict: whether the payload has no fault. By fetch: thousands are asked about.
  const stored = async (type, payload) => {
    const response = await fetch(`${rest.base}/api/v1/events?validate=strict`, {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({event_type: type, payload}),
    });
    const answer = await response.json();
    if (response.status === 201) return true;
    assert.deepEqual([response.status, answer.reason], [400, 'PAYLOAD_INVALID'], JSON.stringify(answer));
    return false;
  };

  test('every example is taken by the JSON Schema and by the store', async () => {
    for (const type of types) {
      const schema = await schemaOf(type);
      const example = await exampleOf(type);
      const validate = compile(schema);
      assert.equal(schema.title, type);
      assert.deepEqual(schema.examples, [example]);
      assert.ok(validate(example), `${type}: ${JSON.stringify(validate.errors)}`);
      assert.ok(await stored(type, example), type);
      const names = Object.keys(schema.properties);
      for (const name of Object.keys(example)) assert.ok(names.includes(name), `${type}: ${name}`);
    }
  });

  // The example with one member left out, or replaced by each of these.
  const WRONG = [null, 7, 7.5, true, 'text', '', [], ['text'], [null], [7], {}, {a: 1}, '2027-01-15T12:00:00Z',
    '6F9619FF-8B86-4011-B42D-00C04FC964FF', '6f9619ff-8b86-4011-b42d-00c04fc964f'];

  function* variants(object) {
    for (const [name, value] of Object.entries(object)) {
      const {[name]: _, ...rest_} = object;
      yield rest_;
      for (const wrong of WRONG) yield {...object, [name]: wrong};
      const inner = Array.isArray(value) ? value[0] : value;
      if (inner === null || typeof inner !== 'object') continue;
      for (const variant of variants(inner)) yield {...object, [name]: Array.isArray(value) ? [variant] : variant};
    }
    yield {...object, something: {else: [1]}};
  }

  test('the JSON Schema and the store agree on what is wrong', {timeout: 240_000}, async () => {
    let right = 0;
    let wrong = 0;
    for (const type of types) {
      const validate = compile(await schemaOf(type));
      const payloads = [...variants(await exampleOf(type))];
      for (let i = 0; i < payloads.length; i += 16) {
        await Promise.all(payloads.slice(i, i + 16).map(async (payload) => {
          const taken = await stored(type, payload);
          assert.equal(validate(payload), taken, `${type} ${JSON.stringify(payload)}: the store says ${taken}`);
          taken ? ++right : ++wrong;
        }));
      }
    }
    assert.ok(right > 100 && wrong > 500, `${right} right, ${wrong} wrong`);
  });

  test('an alias counts as the field itself', async () => {
    const type = 'agent.handoff.requested';
    const validate = compile(await schemaOf(type));
    const {task_description: task, ...rest_} = await exampleOf(type);
    for (const [payload, right] of [[{...rest_, task}, true], [{...rest_, task: 7}, false],
      [{...rest_, task: null}, false], [{...rest_, task_description: null, task}, true],
      [{...rest_, task_description: task, task: 7}, true], [{...rest_, task_description: 7, task}, false]]) {
      assert.equal(validate(payload), right, JSON.stringify(payload));
      assert.equal(await stored(type, payload), right, JSON.stringify(payload));
    }
  });

  test('the example can be published as the help says', async () => {
    const type = 'bmad.workflow.started';
    const example = await printed('event', 'schema', type, '--example');
    const {code, out, err} = await god33(['event', 'publish', type, '--json', '-', '--validate', 'strict'], {input: example});
    assert.equal(code, 0, err);
    const event = await until('it is stored', async () => {
      const response = await rest.get(`/api/v1/events/${out.trim()}`);
      return response.status === 200 && JSON.parse(response.text);
    });
    assert.deepEqual(event.payload, JSON.parse(example));
    assert.deepEqual(event.payload_errors, []);
  });

  test('people see every field with its meaning', async () => {
    const out = await printed('event', 'schema', 'agent.letta.task.completed');
    for (const field of ['session_id', 'artifacts[].path', 'validation.coverage_pct']) assert.ok(out.includes(field), out);
    assert.match(out, /0 to 100/, "the proto's comment");
    assert.match(out, /god33 event publish agent\.letta\.task\.completed --json -/);
  });

  test('the list has what is registered and what was seen, and does without the store', async () => {
    await rest.post('/api/v1/events', JSON.stringify({event_type: 'never.registered', payload: {}}));
    const listed = async (...args) => {
      const {code, out, err} = await god33(['event', 'schema', '-o', 'jsonl', ...args]);
      assert.equal(code, 0, err);
      return {names: out.trimEnd().split('\n').map((line) => JSON.parse(line).name), err};
    };
    const {names} = await listed();
    assert.deepEqual(names, [...names].sort());
    assert.ok(names.includes('never.registered'));
    assert.deepEqual(names.filter((name) => types.includes(name)), types);
    const alone = await listed('--api', '127.0.0.1:1');
    assert.deepEqual(alone.names, types);
    assert.match(alone.err, /Only the registered types/);
  });

  test('an unknown type names its neighbours', async () => {
    const {code, out, err} = await god33(['event', 'schema', 'bmad.workflow.start']);
    assert.deepEqual([code, out], [3, '']);
    assert.match(err, /near ones: bmad\.workflow\.started/);
  });
});
