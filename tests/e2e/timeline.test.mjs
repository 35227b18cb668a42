// Workflows over time and the sessions of agents, by REST, gRPC and command line alike.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const USAGE = 2;
const NOT_FOUND = 3;
const uuid = '0199a000-0000-4000-8000-000000000001';

describe('timelines, states as they were, and sessions', () => {
  let set, services, database, publisher, rest, grpc;

  before(async () => {
    set = await TestSet.start('timeline');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    rest = new Rest(services.gateway.rest);
    grpc = await EventStoreClient.discover(services.api.grpc);
  });

  after(async () => {
    await publisher?.close();
    grpc?.close();
    await set?.end();
  });

  // Publishes one after the other, so that positions are in this order, and waits until all is folded.
  const publishInOrder = async (events) => {
    for (const event of events) {
      await publisher.publishEvent(event);
      await until('it is stored', () => database.value('SELECT true FROM event_ids WHERE event_id = $1', event.event_id));
    }
    await until('the log is folded', () => database.value(`
      SELECT (SELECT position FROM cursors WHERE name = 'projector') = (SELECT max(position) FROM event_ids)
        AND NOT EXISTS (SELECT FROM adoptions) AND NOT EXISTS (SELECT FROM late_parents)`), {within: 30_000});
  };

  const get = async (path, parameters) => {
    const response = await rest.get(path, parameters);
    assert.equal(response.status, 200, response.text);
    return JSON.parse(response.text);
  };

  // [status, reason, field]
  const problem = async (path, parameters) => {
    const response = await rest.get(path, parameters);
    assert.match(response.headers['content-type'], /^application\/problem\+json/, response.text);
    const {reason, field} = JSON.parse(response.text);
    return [response.status, reason, field];
  };

  const god33 = async (...args) => {
    const env = {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_API_ADDR: services.api.grpc};
    const end = await run(executable('god33'), args, {env, timeout: 30_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const printed = async (...args) => {
    const end = await god33(...args);
    assert.equal(end.code, 0, `${args.join(' ')}: ${end.err}`);
    return end.out;
  };

  // A workflow as seed 001 tells it; `late`: the hand-off arrives after what it led to.
  const story = ({late = false} = {}) => {
    const id = randomUUID();
    const session = randomUUID();
    const agent = `letta-${randomUUID()}`;
    const minute = (n) => new Date(Date.UTC(2026, 0, 10, 9, n)).toISOString();
    const add = (n, type, payload, parents = [], context = null) =>
      canonical({event_type: type, timestamp: minute(n), payload, correlation_ids: parents.map((each) => each.event_id),
        agent_context: context});
    const started = add(0, 'bmad.workflow.started', {workflow_id: id, project_name: 'story', phase: 'analysis'}, [],
      {type: 'bmad-analyst'});
    const phase = add(1, 'bmad.workflow.phase.completed', {workflow_id: id, phase: 'analysis', next_phase: 'planning'},
      [started]);
    const handoff = add(2, 'bmad.workflow.handoff.requested', {workflow_id: id, from_agent: 'bmad-architect',
      to_agent: 'letta-python-dev', task_description: 'Write the\nlogin page'}, [phase]);
    const accepted = add(3, 'agent.handoff.accepted', {workflow_id: id, session_id: session, agent_type: 'letta',
      accepted_from: 'bmad-architect', checkpoint_id: 'c0'}, [handoff], {type: 'letta-python-dev', instance_id: agent});
    const tool = add(4, 'agent.tool.invoked', {tool: 'grep', title: 'looks around'}, [handoff]);
    const saved = Array.from({length: 5}, (_, i) => add(5 + i, 'agent.letta.checkpoint.saved', {session_id: session,
      checkpoint_id: `c${i + 1}`, agent_instance_id: agent, checkpoint_type: 'progress', summary: `step ${i + 1}`,
      context_snapshot: {current_focus: 'login', big: 0}, metrics: {tokens_used: 1000 + i}}, [accepted]));
    const done = add(11, 'agent.letta.task.completed', {session_id: session, workflow_id: id, summary: 'login works',
      final_checkpoint_id: 'c9', agent_instance_id: agent}, [accepted]);
    const completed = add(12, 'bmad.workflow.completed', {workflow_id: id}, [done]);
    const events = late ? [started, phase, accepted, tool, handoff, ...saved, done, completed]
      : [started, phase, handoff, accepted, tool, ...saved, done, completed];
    return {id, session, agent, events, handoff, tool, saved};
  };

  const positionOf = (event) => database.value('SELECT position FROM event_ids WHERE event_id = $1', event.event_id);

  test('a timeline tells a workflow line by line, late members included', async () => {
    for (const late of [false, true]) {
      const {id, events} = story({late});
      await publishInOrder(events);
      const {workflow_id: of, timeline, next_page_token: token, position} = await get(`/api/v1/workflows/${id}/timeline`);
      assert.equal(of, id);
      assert.equal(token, '');
      assert.deepEqual(timeline.map((entry) => entry.event_id), events.map((event) => event.event_id));
      assert.deepEqual(Object.keys(timeline[0]),
        ['timestamp', 'event_type', 'event_id', 'agent', 'summary', 'position']);
      assert.ok(position >= timeline.at(-1).position);
      const entry = (type) => timeline.find((each) => each.event_type === type);
      assert.deepEqual({...entry('bmad.workflow.started'), event_id: 0, position: 0}, {timestamp: '2026-01-10T09:00:00Z',
        event_type: 'bmad.workflow.started', event_id: 0, agent: 'bmad-analyst',
        summary: 'Workflow initiated for project story, beginning with analysis', position: 0});
      assert.equal(entry('bmad.workflow.handoff.requested').summary,
        'bmad-architect hands a task over to letta-python-dev: Write the login page');
      assert.equal(entry('agent.tool.invoked').summary, 'Agent tool invoked: looks around');
      assert.equal(entry('agent.letta.task.completed').summary, 'Task completed: login works');

      // By pages, in both orders, on all three ways.
      for (const order of ['asc', 'desc']) {
        const expected = events.map((event) => event.event_id);
        if (order === 'desc') expected.reverse();
        const byRest = [];
        const byGrpc = [];
        let page_token = '';
        do {
          const page = await get(`/api/v1/workflows/${id}/timeline`, {order, limit: '5', page_token});
          const same = await grpc.call('GetWorkflowTimeline', {workflow_id: id, order, limit: 5, page_token});
          byRest.push(...page.timeline.map((each) => each.event_id));
          byGrpc.push(...same.timeline.map((each) => each.event_id));
          page_token = page.next_page_token;
        } while (page_token !== '');
        assert.deepEqual(byRest, expected);
        assert.deepEqual(byGrpc, expected);
        const lines = await printed('workflow', 'timeline', id, '--order', order, '--limit', '5', '--all', '-o', 'jsonl');
        assert.deepEqual(lines.trimEnd().split('\n').map((line) => JSON.parse(line).event_id), expected);
      }
      const text = (await rest.get(`/api/v1/workflows/${id}/timeline`)).text;
      assert.equal((await printed('workflow', 'timeline', id, '-o', 'json')).trimEnd(), text, 'REST, byte for byte');
      assert.match(await printed('workflow', 'timeline', id), /POSITION.*SUMMARY\n.*Workflow initiated for project story/);
      assert.match(await printed('workflow', 'timeline', id, '-o', 'yaml'), new RegExp(`^workflow_id: "?${id}"?\ntimeline:\n`));
    }
  });

  test('a workflow without events has an empty timeline', async () => {
    const {timeline, next_page_token: token} = await get(`/api/v1/workflows/${uuid}/timeline`);
    assert.deepEqual([timeline, token], [[], '']);
  });

  test('the state as of every position is what was answered then', async () => {
    const {id, events, handoff, tool} = story({late: true});
    const then = [];
    for (const event of events) {
      await publishInOrder([event]);
      then.push({position: await positionOf(event), at: await database.value(
        'SELECT to_json(recorded_at)#>>\'{}\' FROM events WHERE event_id = $1', event.event_id),
      text: (await rest.get(`/api/v1/workflows/${id}`)).text});
    }
    for (const {position, at, text} of then) {
      const state = await rest.get(`/api/v1/workflows/${id}/state`, {at_position: String(position)});
      assert.equal(state.text, text);
      assert.equal((await rest.get(`/api/v1/workflows/${id}/state`, {at_time: at})).text, text);
      assert.equal((await printed('workflow', 'get', id, '--at-position', String(position), '-o', 'json')).trimEnd(), text);
      const {workflow} = await grpc.call('GetWorkflowState', {workflow_id: id, at_position: position});
      assert.equal(Number(workflow.version), JSON.parse(text).version);
    }
    assert.equal((await rest.get(`/api/v1/workflows/${id}/state`)).text, then.at(-1).text);
    assert.equal((await printed('workflow', 'get', id, '-o', 'json')).trimEnd(), then.at(-1).text);
    assert.equal((await printed('workflow', 'get', id, '--at-time', '0s', '-o', 'json')).trimEnd(), then.at(-1).text);
    const before = new Date(Date.parse(then[0].at) - 1000).toISOString();
    assert.deepEqual(await problem(`/api/v1/workflows/${id}/state`, {at_time: before}),
      [404, 'WORKFLOW_NOT_FOUND', 'workflow_id']);

    // The tool's event became a member when the hand-off came.
    const at = async (event) => (await get(`/api/v1/workflows/${id}/state`,
      {at_position: String(await positionOf(event))})).correlation_ids;
    assert.ok(!(await at(tool)).includes(tool.event_id));
    assert.ok((await at(handoff)).includes(tool.event_id));
  });

  test('what can\'t be answered about a workflow is refused by its field', async () => {
    const {id, events} = story();
    await publishInOrder(events.slice(0, 2));
    const state = `/api/v1/workflows/${id}/state`;
    const first = await positionOf(events[0]);
    const head = await database.value('SELECT max(position) FROM event_ids');
    for (const [parameters, expected] of [
      [{at_position: String(first), at_time: '2026-01-10T09:00:00Z'}, [400, 'INVALID_ARGUMENT', 'at_time']],
      [{at_position: '0'}, [400, 'INVALID_ARGUMENT', 'at_position']],
      [{at_position: '-1'}, [400, 'INVALID_ARGUMENT', 'at_position']],
      [{at_position: 'x'}, [400, 'INVALID_ARGUMENT', 'at_position']],
      [{at_time: 'yesterday'}, [400, 'INVALID_ARGUMENT', 'at_time']],
      [{min_position: '-1'}, [400, 'INVALID_ARGUMENT', 'min_position']],
      [{at_position: String(head + 1)}, [400, 'POSITION_NOT_REACHED', 'at_position']],
      [{at_position: String(first - 1)}, first > 1 ? [404, 'WORKFLOW_NOT_FOUND', 'workflow_id']
        : [400, 'INVALID_ARGUMENT', 'at_position']],
      [{min_position: String(head + 1)}, [503, 'POSITION_NOT_REACHED', 'min_position']],
    ]) {
      assert.deepEqual(await problem(state, parameters), expected, JSON.stringify(parameters));
    }
    assert.deepEqual(await problem('/api/v1/workflows/x/state'), [400, 'INVALID_ARGUMENT', 'workflow_id']);
    assert.deepEqual(await problem(`/api/v1/workflows/${uuid}/state`), [404, 'WORKFLOW_NOT_FOUND', 'workflow_id']);
    assert.deepEqual(await problem('/api/v1/workflows/x/timeline'), [400, 'INVALID_ARGUMENT', 'workflow_id']);
    for (const [parameters, field] of [[{limit: '0'}, 'limit'], [{order: 'up'}, 'order'], [{page_token: 'x'}, 'page_token'],
      [{min_position: '-1'}, 'min_position'], [{offset: '1'}, 'offset']]) {
      assert.deepEqual(await problem(`/api/v1/workflows/${id}/timeline`, parameters), [400, 'INVALID_ARGUMENT', field]);
    }
    await assert.rejects(grpc.call('GetWorkflowState', {workflow_id: id, at_position: head + 1}),
      {code: 'OUT_OF_RANGE', reason: 'POSITION_NOT_REACHED', field: 'at_position'});
    await assert.rejects(grpc.call('GetWorkflowState', {workflow_id: id, at_position: 1, at_time: {seconds: 1}}),
      {code: 'INVALID_ARGUMENT', field: 'at_time'});

    // The phase doesn't fit into its column: frozen now, and no state from there on.
    const broken = canonical({event_type: 'bmad.workflow.phase.completed',
      payload: {workflow_id: id, phase: 'x'.repeat(51)}});
    await publishInOrder([broken]);
    assert.deepEqual(await problem(state, {at_position: String(await positionOf(broken))}),
      [400, 'FOLD_FAILED', undefined]);
    assert.equal((await get(state)).frozen.position, await positionOf(broken));
    assert.equal((await get(state, {at_position: String(first)})).version, 1);

    for (const [code, ...args] of [[NOT_FOUND, 'get', uuid], [NOT_FOUND, 'get', uuid, '--at-position', '1'],
      [USAGE, 'get', id, '--at-position', String(head + 9)], [USAGE, 'get', id, '--at-position', '0'],
      [USAGE, 'get', id, '--at-position', '1', '--at-time', '1h'], [USAGE, 'get', id, '--at-time', 'soon'],
      [USAGE, 'timeline', 'x'], [USAGE, 'timeline', id, '--page-token', 'x']]) {
      const end = await god33('workflow', ...args);
      assert.deepEqual([end.code, end.out], [code, ''], `${args.join(' ')}: ${end.err}`);
    }
  });

  test('a session has its state, its checkpoints and its events, under its id and its agent\'s', async () => {
    const {id, session, agent, events, saved} = story();
    await publishInOrder(events);
    const newestFirst = saved.toReversed();
    for (const name of [session, agent]) {
      const state = await get(`/api/v1/agents/${name}`);
      assert.deepEqual([state.session_id, state.agent_type, state.agent_instance_id, state.status, state.checkpoint_id,
        state.workflow_id, state.project_name], [session, 'letta-python-dev', agent, 'completed', 'c9', id, 'story']);
      assert.equal(state.started_at, '2026-01-10T09:03:00Z');
      assert.equal(state.completed_at, '2026-01-10T09:11:00Z');
      assert.equal(state.metadata.checkpoints, 5);
      assert.equal(state.version, 7);
      assert.deepEqual(state.checkpoints.map((each) => each.event_id), newestFirst.map((event) => event.event_id));
      assert.deepEqual({...state.checkpoints[0], position: 0}, {checkpoint_id: 'c5', checkpoint_type: 'progress',
        summary: 'step 5', context_snapshot: {current_focus: 'login', big: 0}, metrics: {tokens_used: 1004},
        created_at: '2026-01-10T09:09:00Z', event_id: saved[4].event_id, position: 0});

      const first = await get(`/api/v1/agents/${name}/checkpoints`, {limit: '3'});
      const rest3 = await get(`/api/v1/agents/${name}/checkpoints`, {limit: '3', page_token: first.next_page_token});
      assert.deepEqual([...first.checkpoints, ...rest3.checkpoints], state.checkpoints);
      assert.equal(rest3.next_page_token, '');

      const page = await get(`/api/v1/agents/${name}/events`, {order: 'desc', limit: '100'});
      const named = events.filter((event) => event.payload.session_id === session).map((event) => event.event_id);
      assert.deepEqual(page.events.map((event) => event.event_id), named.toReversed());
      assert.deepEqual([page.total, page.total_exact], [7, true]);

      const same = await grpc.call('GetSession', {session_id: name});
      assert.equal(same.session.checkpoints.length, 5);
      assert.equal((await grpc.call('ListCheckpoints', {session_id: name})).checkpoints.length, 5);
      assert.equal((await grpc.call('ListSessionEvents', {session_id: name, offset: 2})).events.length, 5);

      for (const verb of ['get', 'checkpoints', 'events']) {
        const path = verb === 'get' ? `/api/v1/agents/${name}` : `/api/v1/agents/${name}/${verb}`;
        assert.equal((await printed('agent', verb, name, '-o', 'json')).trimEnd(),
          (await rest.get(path, verb === 'events' ? {order: 'asc'} : {})).text, verb);
        for (const format of ['table', 'yaml', 'jsonl']) {
          assert.match(await printed('agent', verb, name, '-o', format), /c5|checkpoint\.saved/, `${verb} ${format}`);
        }
      }
      const all = await printed('agent', 'checkpoints', name, '--all', '--limit', '2', '-o', 'jsonl');
      assert.deepEqual(all.trimEnd().split('\n').map((line) => JSON.parse(line).checkpoint_id), ['c5', 'c4', 'c3', 'c2', 'c1']);
    }
  });

  test('sessions are listed by every filter and page by page', async () => {
    const stories = Array.from({length: 4}, () => story());
    // The first two end, the others still work.
    await publishInOrder(stories.flatMap(({events}, i) => i < 2 ? events : events.slice(0, 7)));
    const {id, session, agent} = stories[3];
    const ids = (page) => page.sessions.map((each) => each.session_id);
    assert.deepEqual(ids(await get('/api/v1/agents', {workflow_id: id})), [session]);
    assert.deepEqual(ids(await get('/api/v1/agents', {agent_id: agent})), [session]);
    assert.deepEqual(ids(await get('/api/v1/agents', {agent_id: agent, status: 'completed'})), []);
    assert.deepEqual(ids(await get('/api/v1/agents', {agent_type: 'none'})), []);
    const active = ids(await get('/api/v1/agents', {status: 'active'}));
    for (const each of stories) assert.equal(active.includes(each.session), each === stories[2] || each === stories[3]);

    const all = await get('/api/v1/agents');
    const times = all.sessions.map((each) => Date.parse(each.last_active_at));
    assert.deepEqual(times, times.toSorted((a, b) => b - a));
    assert.deepEqual(all.sessions[0].checkpoints, []);
    const paged = [];
    let page_token = '';
    do {
      const page = await get('/api/v1/agents', {limit: '2', page_token});
      const same = await grpc.call('ListSessions', {limit: 2, page_token});
      assert.deepEqual(ids(page), ids(same));
      paged.push(...ids(page));
      page_token = page.next_page_token;
    } while (page_token !== '');
    assert.deepEqual(paged, ids(all));
    const lines = await printed('agent', 'list', '--all', '--limit', '2', '-o', 'jsonl');
    assert.deepEqual(lines.trimEnd().split('\n').map((line) => JSON.parse(line).session_id), paged);
    assert.match(await printed('agent', 'list', '--status', 'active', '--type', 'letta-python-dev'), new RegExp(session));
  });

  test('a writer who passes his position reads his own session', async () => {
    const session = randomUUID();
    const event = canonical({event_type: 'agent.letta.session.resumed', payload: {session_id: session}});
    const {position} = JSON.parse((await rest.post('/api/v1/events', JSON.stringify(event))).text);
    const min = {min_position: String(position)};
    assert.equal((await get(`/api/v1/agents/${session}`, min)).version, 1);
    assert.equal((await get(`/api/v1/agents/${session}/events`, min)).events.length, 1);
    assert.deepEqual((await get(`/api/v1/agents/${session}/checkpoints`, min)).checkpoints, []);
  });

  test('what can\'t be answered about sessions is refused by its field', async () => {
    for (const [parameters, field] of [[{status: 'done'}, 'status'], [{status: ''}, 'status'], [{agent_id: ''}, 'agent_id'],
      [{agent_type: ''}, 'agent_type'], [{workflow_id: 'x'}, 'workflow_id'], [{limit: '0'}, 'limit'],
      [{page_token: 'x'}, 'page_token'], [{min_position: '-1'}, 'min_position'], [{offset: '1'}, 'offset']]) {
      assert.deepEqual(await problem('/api/v1/agents', parameters), [400, 'INVALID_ARGUMENT', field],
        JSON.stringify(parameters));
    }
    for (const part of ['', '/checkpoints', '/events']) {
      for (const name of [uuid, 'nobody', encodeURIComponent('no/body ü')]) {
        assert.deepEqual(await problem(`/api/v1/agents/${name}${part}`), [404, 'SESSION_NOT_FOUND', 'session_id']);
      }
      assert.deepEqual(await problem(`/api/v1/agents/${'x'.repeat(256)}${part}`), [400, 'INVALID_ARGUMENT', 'session_id']);
    }
    for (const part of ['/checkpoints', '/events']) {
      assert.deepEqual(await problem(`/api/v1/agents/nobody${part}`, {limit: '1001'}), [400, 'INVALID_ARGUMENT', 'limit']);
    }
    await assert.rejects(grpc.call('GetSession', {session_id: ''}), {code: 'INVALID_ARGUMENT', field: 'session_id'});
    await assert.rejects(grpc.call('ListCheckpoints', {session_id: uuid}), {code: 'NOT_FOUND', reason: 'SESSION_NOT_FOUND'});
    for (const [code, ...args] of [[NOT_FOUND, 'get', uuid], [NOT_FOUND, 'checkpoints', 'nobody'],
      [NOT_FOUND, 'events', 'nobody'], [USAGE, 'list', '--status', 'done'], [USAGE, 'list', '--workflow', 'x'],
      [USAGE, 'get'], [USAGE, 'list', '--page-token', 'x']]) {
      const end = await god33('agent', ...args);
      assert.deepEqual([end.code, end.out], [code, ''], `${args.join(' ')}: ${end.err}`);
    }
  });
});
