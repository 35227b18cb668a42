// The API of letta-bridge, by REST and by `god33`: agents of one's own, tasks, sessions that are paused, resumed,
// cancelled and saved, questions that are answered once, checkpoints. On the real App Server.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {BridgeSet} from './support/bridge.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {run} from './support/run.mjs';
import {until} from './support/wait.mjs';

const progress = (summary, extra = {}) => ({tool: 'report_progress', arguments: {summary}, ...extra});
const complete = (summary = 'Done') => ({tool: 'complete_task', arguments: {summary}});
const ask = (question, extra = {}) => ({tool: 'ask_human', arguments: {question, ...extra}});
const slowly = Array.from({length: 40}, (_, n) => progress(`step ${n}`, {delay_ms: 250}));
const NOBODY = '0199a000-0000-7000-8000-00000000000a';

describe('the API of letta-bridge', () => {
  let bridges, bridge, gateway, rest;

  before(async () => {
    bridges = await BridgeSet.start('letta_api', {environment: {GOD33_LETTA_AGENTS_PER_TYPE: '2'}});
    bridge = await bridges.bridge();
    gateway = await bridges.set.gateway(bridges.services.manager, bridges.services.api, {GOD33_LETTA_BRIDGE_ADDR: bridge.grpc});
    rest = new bridges.rest.constructor(gateway.rest);
  });

  after(() => bridges?.end());

  const json = (response, code) => {
    assert.equal(response.status, code, response.text);
    return JSON.parse(response.text);
  };
  const get = async (route, parameters, code = 200) => json(await rest.get(`/api/v1/${route}`, parameters), code);
  const post = async (route, body = {}, code = 200) => json(await rest.post(`/api/v1/${route}`, JSON.stringify(body)), code);
  const assign = (script, {agent = 'letta-python-dev', ...fields} = {}) =>
    post(`agents/${agent}/tasks`, {description: 'Test task', task_type: 'test', context: {script}, ...fields}, 201);
  const reached = (id, status, within = 30_000) => until(`task ${id} is ${status}`, async () => {
    const task = await get(`tasks/${id}`);
    return task.status === status && task;
  }, {within, every: 100});

  const god33 = async (args, {code = 0} = {}) => {
    const end = await run(executable('god33'), [...args, '-o', 'json'],
      {env: {...BASE_ENVIRONMENT, GOD33_LETTA_BRIDGE_ADDR: bridge.grpc}, timeout: 60_000});
    assert.equal(end.code, code, `god33 ${args.join(' ')}: ${end.stderr}${end.stdout}`);
    return code === 0 ? JSON.parse(end.stdout.toString()) : end.stderr;
  };

  const asked = (id) => until(`task ${id} asks`, async () => (await get(`tasks/${id}`)).question?.question && get(`tasks/${id}`), {within: 30_000});

  test('a task for a type of agents is done once, and its checkpoints can be had', async () => {
    const cause = await bridges.publish('bmad.workflow.started', {workflow_id: randomUUID(), project_name: 'shop'});
    await until('it is stored', () => bridges.database.value('SELECT position FROM event_ids WHERE event_id = $1', cause));
    const key = randomUUID();
    const assigned = await assign([progress('half'), complete()], {correlation_id: cause, idempotency_key: key, priority: 'high'});
    assert.equal(assigned.status, 'accepted');
    assert.equal(assigned.task_id, assigned.event_id);
    assert.ok(assigned.estimated_checkpoints >= 1 && assigned.position > 0);
    const again = await assign([complete()], {correlation_id: cause, idempotency_key: key});
    assert.deepEqual([again.duplicate, again.task_id, again.position], [true, assigned.task_id, assigned.position]);

    const task = await reached(assigned.task_id, 'completed');
    assert.equal(task.workflow_id, await bridges.database.value("SELECT payload ->> 'workflow_id' FROM events WHERE event_id = $1", cause));
    assert.equal(task.priority, 'high');
    const events = await bridges.events({id: assigned.task_id});
    assert.deepEqual(events.filter(({type}) => type.startsWith('agent.handoff.')).map(({type, parents}) => [type, parents]),
      [['agent.handoff.requested', [cause]], ['agent.handoff.accepted', [assigned.task_id]]]);

    const session = await god33(['session', 'get', task.session_id]);
    assert.deepEqual([session.status, session.newest, session.task.task_id], ['completed', true, assigned.task_id]);
    const {checkpoints} = await get('checkpoints', {task_id: assigned.task_id});
    assert.deepEqual(checkpoints.map(({type}) => type).at(-1), 'initial');
    assert.equal(checkpoints[0].checkpoint_id, task.checkpoint.checkpoint_id);
    for (const agent of [task.session_id, task.instance_id, task.agent_id, task.agent_type, task.task_id]) {
      const checkpoint = await get(`agents/${agent}/checkpoints/${checkpoints[0].checkpoint_id}`);
      assert.match(checkpoint.memory_snapshot['system/task.md'], /Test task/);
      assert.equal(checkpoint.context.checkpoint_id, checkpoint.checkpoint_id);
    }
    const {reason} = await get(`agents/letta-rust-dev/checkpoints/${checkpoints[0].checkpoint_id}`, {}, 404);
    assert.equal(reason, 'CHECKPOINT_NOT_FOUND');
    assert.equal((await god33(['checkpoint', 'list', '--session', task.session_id])).checkpoints.length, checkpoints.length);
    assert.equal((await god33(['checkpoint', 'retention', '--kept', '1'])).kept, 1);

    await bridges.database.rows('DELETE FROM letta_checkpoints WHERE checkpoint_id = $1', checkpoints.at(-1).checkpoint_id);
    assert.equal((await get(`agents/${task.session_id}/checkpoints/${checkpoints.at(-1).checkpoint_id}`, {}, 410)).reason, 'RETENTION');
  });

  test('an agent of one\'s own does the tasks that name it, one after the other', async () => {
    const made = await god33(['agent', 'create', 'python-dev', '--name', 'Python Developer 001', '--system-prompt', 'You are an expert.',
      '--task', 'First task', '--context', JSON.stringify({script: [complete('First')]})]);
    assert.match(made.instance_id, /^letta-python-dev-\d{3}$/);
    assert.equal(made.status, 'active');
    const initial = await god33(['checkpoint', 'get', made.agent_id, made.checkpoint_id]);
    assert.equal(initial.type, 'initial');
    assert.equal(initial.context.system_prompt, 'You are an expert.');
    assert.ok(initial.memory_snapshot['system/persona.md']);

    const first = await reached(made.task_id, 'completed');
    assert.deepEqual([first.agent_id, first.instance_id], [made.agent_id, made.instance_id]);
    const second = await god33(['agent', 'assign', made.instance_id, '--task', 'Second task',
      '--context', JSON.stringify({script: [complete('Second')]}), '--wait']);
    assert.deepEqual([second.status, second.agent_id], ['completed', made.agent_id]);
    const {pools} = await get('agent-pool');
    assert.equal(pools.find(({agent_type: type, own}) => type === 'letta-python-dev' && own > 0).own, 1);

    const with_context = await post('agents', {agent_type: 'letta-qa-engineer', initial_context: {style: 'terse'}}, 201);
    const kept = await get(`agents/${with_context.instance_id}/checkpoints/${with_context.checkpoint_id}`);
    assert.match(kept.memory_snapshot['system/context.md'], /"style":"terse"/);
    assert.equal((await post('agents', {agent_type: 'python-dev', mcp_servers: ['github']}, 501)).reason, 'LETTA_UNSUPPORTED');
  });

  test('pattern 4: a question is listed, answered once by the command line, and the task goes on', async () => {
    const {task_id: id} = await assign([ask('How short may a password be?', {options: ['six', 'eight']}), {say: 'I wait.'}, complete()]);
    const task = await asked(id);
    assert.deepEqual([task.status, task.waits_for], ['paused', 'answer']);
    const {request_id: request} = task.question;
    const listed = (await god33(['feedback', 'list', '--agent', 'letta-python-dev'])).feedback;
    assert.ok(listed.some((feedback) => feedback.request_id === request && feedback.task_id === id));
    assert.equal((await post(`sessions/${task.session_id}/resume`, {}, 400)).reason, 'QUESTION_PENDING');

    const answered = await god33(['feedback', 'answer', request, '--choose', '2', '--rationale', 'safer', '--responder', 'ada']);
    assert.equal(answered.feedback.status, 'answered');
    assert.match(answered.feedback.answer, /eight/);
    const late = await post(`feedback/${request}/answer`, {decision: 'six'}, 409);
    assert.equal(late.reason, 'ALREADY_ANSWERED');
    assert.ok(late.detail.includes(`answered before by ada, at ${answered.feedback.settled_at}, with event ${answered.event_id}`), late.detail);
    assert.match(await god33(['feedback', 'answer', request, 'six'], {code: 4}), /ALREADY_ANSWERED/);
    await bridges.answer(request, 'ten', {payload: {responder: 'bob'}});

    await reached(id, 'completed');
    assert.equal(await bridges.count({id}, 'agent.letta.session.resumed'), 1);
    const resumed = await bridges.last({id}, 'agent.letta.session.resumed');
    assert.deepEqual(resumed.parents, [answered.event_id]);
    const feedback = await until('the late answer is there', async () => {
      const found = await get(`feedback/${request}`);
      return found.late_answers.length > 0 && found;
    });
    assert.deepEqual(feedback.late_answers.map(({answer, responder}) => [answer, responder]), [['ten', 'bob']]);
    assert.equal(feedback.responder, 'ada');
  });

  test('a question is withdrawn, and the agent decides by itself', async () => {
    const {task_id: id} = await assign([ask('Shall I?'), {say: 'I wait.'}, complete()]);
    const {question} = await asked(id);
    const withdrawn = await god33(['feedback', 'withdraw', question.request_id, '--reason', 'decided elsewhere']);
    assert.equal(withdrawn.feedback.status, 'withdrawn');
    assert.equal((await post(`feedback/${question.request_id}/answer`, {decision: 'yes'}, 409)).reason, 'ALREADY_WITHDRAWN');
    await reached(id, 'completed');
  });

  test('a session is saved, paused, resumed and cancelled', async () => {
    const {task_id: id} = await assign(slowly);
    const {session_id: session} = await reached(id, 'active');
    const saved = await god33(['session', 'checkpoint', session, '--wait']);
    assert.equal(saved.checkpoint.type, 'on-demand');
    const paused = await post(`sessions/${id}/pause`, {reason: 'lunch', wait_seconds: 20});
    assert.deepEqual([paused.obeyed, paused.task.status, paused.task.waits_for], [true, 'paused', 'resume']);
    assert.equal((await post(`sessions/${session}/pause`, {}, 400)).reason, 'NOT_ACTIVE');
    assert.equal((await post(`sessions/${session}/checkpoint`, {}, 400)).reason, 'NOT_ACTIVE');
    const resumed = await god33(['session', 'resume', session, '--wait']);
    assert.equal(resumed.status, 'active');
    assert.equal((await post(`sessions/${session}/resume`, {}, 400)).reason, 'NOT_PAUSED');
    const {sessions} = await get('sessions', {task_id: id});
    assert.deepEqual(sessions.map(({session_id, status}) => [session_id, status]), [[session, 'active']]);
    assert.ok(sessions[0].task.lease.epoch >= 2);
    const cancelled = await god33(['session', 'cancel', session, '--reason', 'called off', '--wait']);
    assert.deepEqual([cancelled.status, cancelled.reason], ['cancelled', 'called off']);
    assert.equal((await post(`sessions/${session}/cancel`, {}, 400)).reason, 'ALREADY_OVER');
  });

  test('what finds no free agent waits at its place, and says so', async () => {
    const busy = await Promise.all([1, 2].map(() => assign([ask('Wait?'), {say: 'I wait.'}, complete()], {agent: 'letta-rust-dev'})));
    for (const {task_id: id} of busy) await asked(id);
    const [low, urgent] = [await assign([complete()], {agent: 'letta-rust-dev', priority: 'low'}),
      await assign([complete()], {agent: 'letta-rust-dev', priority: 'urgent'})];
    const {tasks} = await god33(['task', 'list', '--status', 'waiting', '--type', 'letta-rust-dev']);
    assert.deepEqual(tasks.map(({task_id, queue_position, waits_for}) => [task_id, queue_position, waits_for]),
      [[urgent.task_id, 1, 'agent'], [low.task_id, 2, 'agent']]);
    const pool = (await god33(['agent', 'pool'])).pools.find(({agent_type: type}) => type === 'letta-rust-dev');
    assert.deepEqual([pool.busy, pool.limit, pool.waiting], [2, 2, 2]);
    const cancelled = await post(`sessions/${low.task_id}/cancel`, {wait_seconds: 10});
    assert.deepEqual([cancelled.obeyed, cancelled.task.status], [true, 'cancelled']);
    const question = (await get(`tasks/${busy[0].task_id}`)).question.request_id;
    await post(`sessions/${busy[0].task_id}/cancel`, {wait_seconds: 10});
    assert.equal((await get(`feedback/${question}`)).status, 'withdrawn');
    await reached(urgent.task_id, 'completed');
    await post(`sessions/${busy[1].task_id}/cancel`, {wait_seconds: 10});
  });

  test('lists have pages', async () => {
    const all = await get('tasks', {limit: 1000});
    const seen = [];
    for (let token = ''; ;) {
      const page = await get('tasks', {limit: 2, page_token: token});
      seen.push(...page.tasks.map((task) => task.task_id));
      token = page.next_page_token;
      if (!token) break;
    }
    assert.deepEqual(seen, all.tasks.map((task) => task.task_id));
    assert.equal((await god33(['task', 'list', '--all', '--limit', '2'])).tasks.length, seen.length);
    const {next_page_token: token} = await get('sessions', {limit: 1});
    assert.equal((await get('tasks', {page_token: token}, 400)).field, 'page_token');
  });

  test('what is wrong is said by its field, before anything happens', async () => {
    const bad = async (response, field, code = 400) => {
      const problem = await response;
      assert.deepEqual([problem.status, problem.field], [code, field], JSON.stringify(problem));
    };
    await bad(get('tasks/x', {}, 400), 'task_id');
    await bad(get('sessions/x', {}, 400), 'session_id');
    await bad(get('feedback/x', {}, 400), 'request_id');
    await bad(get('tasks', {status: 'gone'}, 400), 'status');
    await bad(get('tasks', {limit: 0}, 400), 'limit');
    await bad(get('sessions', {workflow_id: 'x'}, 400), 'workflow_id');
    await bad(get('feedback', {status: 'x'}, 400), 'status');
    await bad(get('checkpoints', {}, 400), 'task_id');
    await bad(get('checkpoint-retention', {kept: 0}, 400), 'kept');
    await bad(post('agents', {agent_type: 'Python Dev'}, 400), 'agent_type');
    await bad(post('agents', {agent_type: 'python-dev', initial_context: []}, 400), 'initial_context');
    await bad(post('agents', {agent_type: 'python-dev', initial_context: {workflow_id: 'x'}}, 400), 'initial_context.workflow_id');
    const task = (fields) => post('agents/letta-python-dev/tasks', {description: 'x', ...fields}, 400);
    await bad(task({description: ''}), 'description');
    await bad(task({correlation_id: 'x'}), 'correlation_id');
    await bad(task({context: 7}), 'context');
    await bad(task({priority: 'soon'}), 'priority');
    await bad(post(`sessions/${NOBODY}/pause`, {wait_seconds: 31}, 400), 'wait_seconds');
    assert.equal((await task({deadline: '2020-01-01T00:00:00Z'})).reason, 'DEADLINE_PASSED');
    assert.equal((await post('agents/letta-cook/tasks', {description: 'x'}, 400)).reason, 'UNKNOWN_AGENT');
    assert.equal((await post('agents/agent-nobody/tasks', {description: 'x'}, 404)).reason, 'AGENT_UNKNOWN');
    assert.equal((await get(`tasks/${NOBODY}`, {}, 404)).reason, 'TASK_UNKNOWN');
    assert.equal((await get(`sessions/${NOBODY}`, {}, 404)).reason, 'SESSION_UNKNOWN');
    assert.equal((await post(`sessions/${NOBODY}/cancel`, {}, 404)).reason, 'SESSION_UNKNOWN');
    assert.equal((await get(`feedback/${NOBODY}`, {}, 404)).reason, 'FEEDBACK_NOT_FOUND');
    assert.equal((await post(`feedback/${NOBODY}/answer`, {decision: 'x'}, 404)).reason, 'FEEDBACK_NOT_FOUND');
    assert.equal(await bridges.database.value("SELECT count(*)::int FROM events WHERE event_type = 'agent.handoff.rejected'"), 0);
  });

  test('the gateway serves without a bridge, and says that it is degraded when its bridge is away', async () => {
    const health = async (of) => JSON.parse((await new bridges.rest.constructor(of.rest).get('/healthz')).text);
    assert.equal((await health(bridges.services.gateway)).services['letta-bridge'], undefined);
    assert.equal(json(await bridges.rest.get('/api/v1/tasks'), 503).status, 503);
    assert.equal((await health(gateway)).services['letta-bridge'].components.letta, 'serving');
    await bridge.stop();
    const degraded = await health(gateway);
    assert.equal(degraded.status, 'degraded');
    assert.notEqual(degraded.services['letta-bridge'].status, 'serving');
  });
});
