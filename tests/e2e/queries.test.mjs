// What is stored can be asked for, by REST and gRPC alike, and a question that is not understood is refused.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {canonical} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Rest} from './support/rest.mjs';
import {mustRun} from './support/run.mjs';
import {generator, SampleLog} from './support/sample_log.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

describe('queries', () => {
  const log = new SampleLog(400);
  let set, services, database, publisher, rest, grpc;

  // Until everything published so far is stored, and what follows from it is folded.
  const settled = () => until('the log is settled', () => database.value(`
    SELECT (SELECT position FROM cursors WHERE name = 'projector') = (SELECT max(position) FROM event_ids)
      AND NOT EXISTS (SELECT FROM adoptions) AND NOT EXISTS (SELECT FROM late_parents)`), {within: 30_000});

  const publishAll = async (events) => {
    await Promise.all(events.map((event) => publisher.publishEvent(event)));
    const ids = events.map((event) => event.event_id);
    await until('all are stored', async () =>
      (await database.value('SELECT count(*) FROM event_ids WHERE event_id = ANY($1)', ids)) === ids.length);
    await settled();
  };

  before(async () => {
    set = await TestSet.start('queries');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    rest = new Rest(services.gateway.rest);
    grpc = await EventStoreClient.discover(services.api.grpc);
    await publishAll(log.published);
  });

  after(async () => {
    await publisher?.close();
    grpc?.close();
    await set?.end();
  });

  const idsOf = (page) => page.events.map((event) => event.event_id);

  const pairs = (parameters) => Object.entries(parameters).flatMap(([name, value]) =>
    [value].flat().map((each) => [name, String(each)]));

  const listByRest = async (parameters) => {
    const response = await rest.get('/api/v1/events', pairs(parameters));
    assert.equal(response.status, 200, response.text);
    return JSON.parse(response.text);
  };

  const timestamp = (text) => {
    const ms = Date.parse(text);
    return {seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6};
  };

  const listByGrpc = async (parameters) => {
    const request = {...parameters};
    for (const name of ['since', 'start_time', 'end_time']) {
      if (request[name]) request[name] = timestamp(request[name]);
    }
    const page = await grpc.call('ListEvents', request);
    for (const name of ['total', 'offset', 'position']) page[name] = Number(page[name]);
    return page;
  };

  // All pages, one after the other.
  const readAll = async (list, parameters) => {
    const ids = [];
    let token = '';
    let total;
    do {
      const page = await list({...parameters, ...(token && {page_token: token})});
      total ??= page.total;
      assert.ok(page.total_exact);
      assert.equal(page.total, total);
      assert.ok(page.events.length <= parameters.limit);
      assert.ok(page.events.length > 0 || page.next_page_token === '');
      ids.push(...idsOf(page));
      token = page.next_page_token;
    } while (token !== '');
    return {ids, total};
  };

  test('every combination of filters finds what a plain scan finds, by REST and gRPC', async () => {
    const random = generator(11);
    let found = 0;
    for (let round = 0; round < 80; ++round) {
      const filter = log.randomFilter(random);
      const order = random(2) === 0 ? 'asc' : 'desc';
      const expected = log.matching(filter);
      found += expected.length > 0;
      if (order === 'desc') expected.reverse();
      const parameters = {...filter, order, limit: 20 + random(100)};
      const what = JSON.stringify(parameters);
      for (const list of [listByRest, listByGrpc]) {
        assert.deepEqual(await readAll(list, parameters), {ids: expected, total: expected.length}, what);
      }
      const offset = random(50);
      const page = await listByRest({...parameters, offset});
      assert.deepEqual(idsOf(page), expected.slice(offset, offset + parameters.limit), `${what} offset ${offset}`);
    }
    assert.ok(found > 40, `only ${found} questions had an answer`);
  });

  test('without parameters the first hundred come, oldest first, with what there is to know of them', async () => {
    const page = await listByRest({});
    const all = log.matching({});
    assert.deepEqual(idsOf(page), all.slice(0, 100));
    assert.deepEqual([page.total, page.total_exact, page.limit, page.offset], [all.length, true, 100, 0]);
    assert.deepEqual(page.events.map((event) => event.position), page.events.map((_, i) => i + 1));
    assert.equal(page.position, all.length);
  });

  test('pages read by token miss nothing and repeat nothing while events are stored', async () => {
    const seen = [];
    let token = '';
    for (let i = 0; i < 20; ++i) {
      const late = canonical({event_type: 'late.arrival', timestamp: '2027-01-01T00:00:00Z'});
      await publisher.publishEvent(late);
      log.published.push(late);
      const page = await listByRest({limit: 25, ...(token && {page_token: token})});
      seen.push(...idsOf(page));
      token = page.next_page_token;
      if (token === '') break;
    }
    assert.deepEqual(seen, log.matching({}).slice(0, seen.length));
    assert.ok(seen.length >= 400);
    await settled();
  });

  test('who passes the position of an append reads that event', async () => {
    for (let i = 0; i < 10; ++i) {
      const posted = JSON.parse((await rest.post('/api/v1/events', '{"event_type":"own.write","payload":{}}')).text);
      const page = await listByRest({event_type: 'own.write', order: 'desc', min_position: posted.position});
      assert.equal(page.events[0].event_id, posted.event_id);
    }
    const response = await rest.get('/api/v1/events', {min_position: 1_000_000_000});
    assert.equal(response.status, 503);
    assert.equal(JSON.parse(response.text).reason, 'POSITION_NOT_REACHED');
  });

  test('a page of large events ends early and goes on by its token', async () => {
    const text = 'x'.repeat(700_000);
    const large = Array.from({length: 8}, (_, i) => canonical({event_type: 'large.one', payload: {i, text}}));
    await publishAll(large);
    const first = await listByRest({event_type: 'large.one'});
    assert.ok(first.events.length < large.length);
    assert.notEqual(first.next_page_token, '');
    for (const list of [listByRest, listByGrpc]) {
      const {ids} = await readAll(list, {event_type: ['large.one'], limit: 100});
      assert.deepEqual(ids, large.map((event) => event.event_id));
    }
  });

  test('an event type lists what the registry knows and what was seen', async () => {
    const types = JSON.parse((await rest.get('/api/v1/event-types')).text).event_types;
    const named = (name) => types.find((type) => type.name === name);
    assert.equal(named('director.x').registered, false);
    assert.ok(named('director.x').first_position > 0);
    assert.equal(named('bmad.workflow.started').registered, true);
    assert.ok(named('bmad.workflow.started').summary.length > 0);
    assert.deepEqual(types.map((type) => type.name), types.map((type) => type.name).sort());
  });

  // ---- What is refused

  const uuid = randomUUID();
  const token = Buffer.from('e1|nonsense').toString('base64url');
  const bad = [
    ['unknown=1', 'unknown'],
    ['limit=10&workflow=x', 'workflow'],
    ['Limit=10', 'Limit'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    ['limit=5&limit=6', 'limit'],
    ['offset=-1', 'offset'],
    ['offset=1000001', 'offset'],
    ['offset=x', 'offset'],
    ['order=up', 'order'],
    ['order=ASC', 'order'],
    ['workflow_id=x', 'workflow_id'],
    ['workflow_id=', 'workflow_id'],
    [`workflow_id=${uuid}&workflow_id=${uuid}`, 'workflow_id'],
    [`workflow_id=${uuid}0`, 'workflow_id'],
    ['correlation_id=%20', 'correlation_id'],
    ['collaboration_id=null', 'collaboration_id'],
    ['session_id=*', 'session_id'],
    ['agent_id=', 'agent_id'],
    [`agent_id=${'a'.repeat(256)}`, 'agent_id'],
    ['agent_id=a%00b', 'agent_id'],
    ['agent_id=%ff', 'agent_id'],
    ['event_type=', 'event_type'],
    ['event_type=a..b', 'event_type'],
    ['event_type=a.%23', 'event_type'],
    ['event_type=a.b*', 'event_type'],
    [Array(51).fill('event_type=a').join('&'), 'event_type'],
    ['since=yesterday', 'since'],
    ['since=2026-02-30T00:00:00Z', 'since'],
    ['since=1769508000', 'since'],
    ['start_time=2026-01-01', 'start_time'],
    ['end_time=2026-01-01T00:00', 'end_time'],
    ['end_time=', 'end_time'],
    ['since=2026-01-01T00:00:00Z&start_time=2026-01-01T00:00:00Z', 'since'],
    ['page_token=x', 'page_token'],
    [`page_token=${token}`, 'page_token'],
    ['page_token=%25', 'page_token'],
    ['min_position=-1', 'min_position'],
    ['min_position=first', 'min_position'],
    ['limit=%zz', 'limit'],
  ];

  test('every bad parameter is 400 with a problem that names it, never an unfiltered answer', async () => {
    for (const [query, field] of bad) {
      const response = await rest.get(`/api/v1/events?${query}`);
      assert.equal(response.status, 400, query);
      assert.match(response.headers['content-type'], /^application\/problem\+json/, query);
      const problem = JSON.parse(response.text);
      assert.equal(problem.field, field, `${query}: ${response.text}`);
      assert.equal(problem.status, 400);
      assert.match(problem.reason, /^[A-Z_]+$/, query);
      assert.equal(problem.instance, '/api/v1/events');
      assert.equal(problem.events, undefined);
    }
  });

  test('a page token goes with its filters and its order, and not with an offset', async () => {
    const {next_page_token: page_token} = await listByRest({agent_id: 'a-0', limit: 5});
    for (const other of [{agent_id: 'a-1'}, {}, {agent_id: 'a-0', order: 'desc'}]) {
      const response = await rest.get('/api/v1/events', pairs({...other, limit: 5, page_token}));
      assert.equal(response.status, 400, JSON.stringify(other));
      assert.equal(JSON.parse(response.text).field, 'page_token');
    }
    const response = await rest.get('/api/v1/events', pairs({agent_id: 'a-0', page_token, offset: 1}));
    assert.deepEqual([response.status, JSON.parse(response.text).field], [400, 'offset']);
    const more = await listByRest({agent_id: 'a-0', limit: 50, page_token});
    assert.deepEqual(idsOf(more), log.matching({agent_id: 'a-0'}).slice(5, 55));
  });

  test('gRPC refuses the same, with the field in its details', async () => {
    const requests = [
      [{limit: 0}, 'limit'], [{limit: 1001}, 'limit'], [{offset: -1}, 'offset'], [{order: 'up'}, 'order'],
      [{workflow_id: 'x'}, 'workflow_id'], [{workflow_id: ''}, 'workflow_id'], [{agent_id: ''}, 'agent_id'],
      [{event_type: ['']}, 'event_type'], [{page_token: 'x'}, 'page_token'], [{min_position: -1}, 'min_position'],
      [{since: {seconds: 1}, start_time: {seconds: 1}}, 'since'], [{end_time: {seconds: '253402300800'}}, 'end_time'],
    ];
    for (const [request, field] of requests) {
      await assert.rejects(grpc.call('ListEvents', request),
        {code: 'INVALID_ARGUMENT', reason: 'INVALID_ARGUMENT', domain: 'god33', field}, JSON.stringify(request));
    }
  });

  test('paths and verbs that do not exist, ids that are none, are told apart', async () => {
    const problem = async (args, path) => {
      const response = await rest.request(args, path);
      return [response.status, JSON.parse(response.text).reason, response.headers.allow];
    };
    const get = ['--request', 'GET'];
    assert.deepEqual(await problem(get, '/api/v1/nothing'), [404, 'ROUTE_NOT_FOUND', undefined]);
    assert.deepEqual(await problem(get, `/api/v1/events/${uuid}`), [404, 'EVENT_NOT_FOUND', undefined]);
    assert.deepEqual(await problem(get, '/api/v1/events/x'), [400, 'INVALID_ARGUMENT', undefined]);
    assert.deepEqual(await problem(get, `/api/v1/workflows/${uuid}`), [404, 'WORKFLOW_NOT_FOUND', undefined]);
    assert.deepEqual(await problem(get, '/api/v1/workflows/x'), [400, 'INVALID_ARGUMENT', undefined]);
    const [status, reason, allow] = await problem(['--request', 'DELETE'], '/api/v1/events');
    assert.deepEqual([status, reason], [405, 'METHOD_NOT_ALLOWED']);
    assert.match(allow, /GET/);
    assert.match(allow, /POST/);
  });

  test('several requests share one connection', async () => {
    const requests = Array(5).fill(['--output', '/dev/null', `${rest.base}/api/v1/events?limit=1`]).flat();
    const connects = await mustRun('curl', ['--silent', '--write-out', '%{num_connects}', ...requests]);
    assert.equal(connects, '10000');
  });

  // ---- Workflows

  const workflow = (project, start, steps) => {
    const id = randomUUID();
    const minute = (n) => new Date(Date.UTC(2026, 2, 1, 0, start + n)).toISOString();
    const started = canonical({event_type: 'bmad.workflow.started', timestamp: minute(0),
      payload: {workflow_id: id, project_name: project, phase: 'analysis'}});
    const events = [started];
    const add = (type, payload, context = null) => {
      const event = canonical({event_type: type, timestamp: minute(events.length), agent_context: context,
        correlation_ids: [events.at(-1).event_id], payload});
      events.push(event);
      return event;
    };
    steps(add, id);
    return {id, project, events};
  };

  test('a workflow is what its events made of it', async () => {
    let handoff;
    const made = workflow('authentication', 1000, (add, id) => {
      add('bmad.workflow.phase.completed', {workflow_id: id, phase: 'analysis', next_phase: 'solutioning'});
      handoff = add('bmad.workflow.handoff.requested', {workflow_id: id, from_agent: 'bmad-architect',
        to_agent: 'letta-python-dev', task_description: 'do it'});
      add('agent.handoff.accepted', {workflow_id: id, agent_type: 'letta', session_id: randomUUID(),
        accepted_from: 'bmad-architect', checkpoint_id: 'cp'}, {type: 'letta-python-dev', instance_id: 'letta-1'});
      add('agent.tool.invoked', {tool: 'grep'}); // a member through its parent
    });
    await publishAll(made.events);
    const state = JSON.parse((await rest.get(`/api/v1/workflows/${made.id}`)).text);
    assert.equal(state.project_name, 'authentication');
    assert.equal(state.current_phase, 'implementation');
    assert.equal(state.current_agent, 'letta-python-dev');
    assert.equal(state.completed_at, null);
    assert.equal(Date.parse(state.started_at), Date.parse(made.events[0].timestamp));
    assert.equal(Date.parse(state.updated_at), Date.parse(made.events.at(-1).timestamp));
    assert.equal(state.version, made.events.length);
    assert.deepEqual(state.correlation_ids, made.events.map((event) => event.event_id));
    assert.deepEqual(state.phase_history.map((phase) => phase.phase), ['analysis', 'solutioning', 'implementation']);
    assert.deepEqual(state.agent_handoffs.map((each) => [each.from, each.to, each.event_id]),
      [['bmad-architect', 'letta-python-dev', handoff.event_id]]);
    assert.equal(state.frozen, null);
    assert.deepEqual(idsOf(await listByRest({workflow_id: made.id})), made.events.map((event) => event.event_id));

    const same = (await grpc.call('GetWorkflow', {workflow_id: made.id})).workflow;
    assert.equal(same.current_agent, state.current_agent);
    assert.equal(Number(same.version), state.version);
  });

  test('workflows are listed, the last updated first, by filter and by page', async () => {
    const project = (i) => `project-${i % 3}`;
    const made = Array.from({length: 21}, (_, i) => workflow(project(i), i * 10, (add, id) => {
      const planning = {workflow_id: id, phase: 'analysis', next_phase: 'planning'};
      if (i % 2 === 0) add('bmad.workflow.phase.completed', planning);
      if (i % 4 === 0) add('bmad.workflow.completed', {workflow_id: id});
    }));
    await publishAll(made.flatMap((each) => each.events));
    const newestFirst = [...made].reverse();
    const list = async (parameters) => {
      const ids = [];
      let page_token = '';
      do {
        const response = await rest.get('/api/v1/workflows', pairs({...parameters, ...(page_token && {page_token})}));
        assert.equal(response.status, 200, response.text);
        const page = JSON.parse(response.text);
        ids.push(...page.workflows.map((each) => each.workflow_id));
        page_token = page.next_page_token;
      } while (page_token !== '');
      return ids;
    };
    for (const name of ['project-0', 'project-1', 'project-2']) {
      const expected = newestFirst.filter((each) => each.project === name).map((each) => each.id);
      assert.deepEqual(await list({project_name: name}), expected);
      assert.deepEqual(await list({project_name: name, limit: 2}), expected);
      const {workflows} = await grpc.call('ListWorkflows', {project_name: name});
      assert.deepEqual(workflows.map((each) => each.workflow_id), expected);
    }
    const indexOf = new Map(made.map((each, i) => [each.id, i]));
    const ours = (ids) => ids.filter((id) => indexOf.has(id)).map((id) => indexOf.get(id));
    assert.ok(ours(await list({completed: true})).every((i) => i % 4 === 0));
    assert.ok(ours(await list({completed: false})).every((i) => i % 4 !== 0));
    assert.equal(ours(await list({completed: true})).length, 6);
    assert.deepEqual(new Set(ours(await list({current_phase: 'planning'}))),
      new Set(made.map((_, i) => i).filter((i) => i % 2 === 0)));
  });

  test('bad parameters of workflow lists are refused by name', async () => {
    for (const [query, field] of [['limit=0', 'limit'], ['limit=1001', 'limit'], ['completed=maybe', 'completed'],
      ['project_name=', 'project_name'], ['page_token=x', 'page_token'], ['offset=1', 'offset'],
      ['min_position=-1', 'min_position']]) {
      const response = await rest.get(`/api/v1/workflows?${query}`);
      assert.deepEqual([response.status, JSON.parse(response.text).field], [400, field], query);
    }
  });

  // ---- Health

  const healthz = async () => {
    const response = await rest.get('/healthz');
    return {code: response.status, ...JSON.parse(response.text)};
  };
  const healthBecomes = (what, check) => until(what, async () => check(await healthz()), {within: 60_000});

  test('healthz of the gateway tells of a service that stops and comes back', async () => {
    assert.equal((await healthz()).code, 200);
    await services.api.stop();
    const without = await healthz();
    assert.deepEqual([without.code, without.status, without.services['event-store-api'].status,
      without.services['event-store-manager'].status], [503, 'unavailable', 'unreachable', 'serving']);

    // Its routes say so, the others go on.
    const refused = await rest.get('/api/v1/events');
    assert.deepEqual([refused.status, JSON.parse(refused.text).reason], [503, 'SERVICE_UNAVAILABLE']);
    assert.match(refused.headers['content-type'], /^application\/problem\+json/);
    assert.equal((await rest.post('/api/v1/events', '{"event_type":"a.b","payload":{}}')).status, 201);

    await services.api.startAgain();
    await healthBecomes('all serve again', (health) => health.code === 200);
    assert.equal((await rest.get('/api/v1/events', {limit: 1})).status, 200);
  });

  test('healthz of the gateway tells of a manager that is killed and comes back', async () => {
    await services.manager.kill();
    await healthBecomes('the manager is missed', (health) =>
      health.code === 503 && health.services['event-store-manager'].status === 'unreachable');
    assert.equal((await rest.post('/api/v1/events', '{"event_type":"a.b","payload":{}}')).status, 503);
    assert.equal((await rest.get('/api/v1/events', {limit: 1})).status, 200);
    await services.manager.startAgain();
    await healthBecomes('all serve again', (health) => health.code === 200);
  });

  test('healthz of the gateway tells which server a service misses', async () => {
    await set.servers.stopServer('rabbitmq');
    await healthBecomes('RabbitMQ is missed', ({code, services: {'event-store-manager': manager}}) =>
      code === 503 && manager.components.rabbitmq === 'not_serving' && manager.components.postgresql === 'serving');
    // The log does without the bus.
    assert.equal((await rest.get('/api/v1/events', {limit: 1})).status, 200);
    assert.equal((await rest.post('/api/v1/events', '{"event_type":"a.b","payload":{}}')).status, 201);

    await set.servers.stopServer('postgres');
    await healthBecomes('PostgreSQL is missed, too', (health) =>
      Object.values(health.services).every((service) => service.components.postgresql === 'not_serving'));
    const refused = await rest.get('/api/v1/events', {limit: 1});
    assert.equal(refused.status, 503);
    assert.doesNotMatch(refused.text, /password|god33_reader/);

    await set.servers.startServer('postgres');
    await set.servers.startServer('rabbitmq');
    await healthBecomes('all serve again', (health) => health.code === 200);
    assert.equal((await rest.get('/api/v1/events', {limit: 1})).status, 200);
  });
});
