// Workflows are steered by REST, gRPC and command line: each step's causes are found in the log. The agent is
// the test: what it does is events.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Process} from './support/process.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const HANDOFF = {from_agent: 'bmad-architect', to_agent: 'letta-python-dev', task_description: 'Implement the login page'};

describe('steering workflows', () => {
  let set, services, rest, grpc, environment;

  before(async () => {
    set = await TestSet.start('workflow');
    services = await set.all();
    rest = new Rest(services.gateway.rest);
    grpc = await EventStoreClient.discover(services.manager.grpc, 'god33.workflow.v1.WorkflowService');
    environment = {
      ...BASE_ENVIRONMENT,
      GOD33_EVENT_STORE_API_ADDR: services.api.grpc,
      GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc,
    };
  });

  after(async () => {
    grpc?.close();
    await set?.end();
  });

  const post = async (path, body, headers = []) => {
    const response = await rest.post(`/api/v1/workflows${path}`, JSON.stringify(body),
      ['Content-Type: application/json', ...headers]);
    return {status: response.status, ...JSON.parse(response.text)};
  };

  const take = async (path, body, headers) => {
    const step = await post(path, body, headers);
    assert.equal(step.status, 201, JSON.stringify(step));
    return step;
  };

  const refused = async (status, reason, path, body, headers) => {
    const problem = await post(path, body, headers);
    assert.deepEqual([problem.status, problem.reason], [status, reason], JSON.stringify(problem));
    return problem;
  };

  const start = async () => (await take('', {project_name: 'shop', from_agent: 'bmad-analyst'})).workflow_id;

  const statusOf = async (workflow) => JSON.parse((await rest.get(`/api/v1/workflows/${workflow}/status`)).text);

  // Events of the agent, each the child of the one before.
  const act = async (parent, events) => {
    for (const [event_type, payload] of events) {
      const event = canonical({event_type, correlation_ids: [parent], payload,
        source: {host: 'h', type: 'agent', app: 'letta', meta: null}});
      const response = await rest.post('/api/v1/events', JSON.stringify(event));
      assert.equal(response.status, 201, response.text);
      parent = event.event_id;
    }
    return parent;
  };

  const god33 = async (args, {input, timeout = 60_000} = {}) => {
    const end = await run(executable('god33'), args, {env: environment, input, timeout});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const printed = async (args, options) => {
    const {code, out, err} = await god33(args, options);
    assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    return out.trim();
  };

  test('pattern 1 by REST: a chain without a gap, from the analysis to the end', async () => {
    const workflow = await start();
    const analysis = await take(`/${workflow}/phases`, {phase: 'analysis', next_phase: 'planning', summary: 's'});
    const planning = await take(`/${workflow}/phases`, {phase: 'planning', next_phase: 'solutioning'});
    const solutioning = await take(`/${workflow}/phases`, {phase: 'solutioning', from_agent: 'bmad-architect'});
    assert.deepEqual(planning.correlation_ids, [analysis.event_id]);
    assert.deepEqual(solutioning.correlation_ids, [planning.event_id]);
    const handoff = await take(`/${workflow}/handoffs`, {...HANDOFF, context: {constraints: {max: 1e3}}, priority: 'high',
      deadline: '2099-01-01T00:00:00Z', task_type: 'implement_feature'});
    assert.deepEqual(handoff.correlation_ids, [solutioning.event_id]);
    await refused(400, 'HANDOFF_NOT_COMPLETED', `/${workflow}/validations`, {from_agent: 'bmad-qa'});

    const session = randomUUID();
    const completed = await act(handoff.event_id, [
      ['agent.handoff.accepted', {workflow_id: workflow, agent_type: 'letta', session_id: session, checkpoint_id: 'c-0'}],
      ['agent.letta.checkpoint.saved', {session_id: session, checkpoint_id: 'c-1', checkpoint_type: 'progress', summary: 'half'}],
      ['agent.letta.task.completed', {session_id: session, summary: 'done', final_checkpoint_id: 'c-2'}],
    ]);
    const [told] = (await statusOf(workflow)).handoffs;
    assert.deepEqual([told.state, told.session_id, told.checkpoint_id, told.progress, told.completed_event_id],
      ['completed', session, 'c-2', 'half', completed]);

    const validation = await take(`/${workflow}/validations`, {from_agent: 'bmad-code-reviewer'});
    assert.deepEqual(validation.correlation_ids, [completed]);
    const end = await take(`/${workflow}/complete`, {summary: 'shipped'});
    assert.deepEqual(end.correlation_ids, [validation.event_id]);

    const {ancestors} = JSON.parse((await rest.get(`/api/v1/events/${end.event_id}/ancestors`)).text);
    assert.equal(ancestors.length, 9);
    const state = JSON.parse((await rest.get(`/api/v1/workflows/${workflow}`, {min_position: end.position})).text);
    assert.equal(state.current_agent, 'letta-python-dev');
    assert.notEqual(state.completed_at, null);
    assert.deepEqual(state.phase_history.map(({phase}) => phase), ['analysis', 'planning', 'solutioning', 'implementation']);
    const {payload} = JSON.parse((await rest.get(`/api/v1/events/${handoff.event_id}`)).text);
    assert.deepEqual(payload, {workflow_id: workflow, from_agent: 'bmad-architect', to_agent: 'letta-python-dev',
      task_type: 'implement_feature', task_description: HANDOFF.task_description,
      context: {constraints: {max: 1000}}, deadline: '2099-01-01T00:00:00Z', priority: 'high'});
    for (const step of ['phases', 'handoffs', 'validations', 'complete']) {
      await refused(400, 'WORKFLOW_COMPLETED', `/${workflow}/${step}`, {...HANDOFF_OF[step]});
    }
  });

  const HANDOFF_OF = {phases: {phase: 'x'}, handoffs: HANDOFF, validations: {from_agent: 'a'}, complete: {}};

  test('a call with a name counts once, by Idempotency-Key or request_id', async () => {
    const key = randomUUID();
    const workflow = await start();
    const first = await take(`/${workflow}/handoffs`, HANDOFF, [`Idempotency-Key: ${key}`]);
    await take(`/${workflow}/phases`, {phase: 'analysis'});
    const again = await take(`/${workflow}/handoffs`, HANDOFF, [`Idempotency-Key: ${key}`]);
    assert.deepEqual({...again, duplicate: false}, first);
    assert.equal(again.duplicate, true);
    await refused(422, 'IDEMPOTENCY_KEY_REUSED', `/${workflow}/handoffs`, {...HANDOFF, priority: 'low'}, [`Idempotency-Key: ${key}`]);
    await refused(422, 'IDEMPOTENCY_KEY_REUSED', `/${workflow}/phases`, {phase: 'p'}, [`Idempotency-Key: ${key}`]);
    await refused(400, 'INVALID_ARGUMENT', `/${workflow}/phases`, {phase: 'p', request_id: 'x'}, [`Idempotency-Key: ${key}`]);
    const started = await take('', {project_name: 'shop', request_id: `${key}-start`});
    assert.equal((await take('', {project_name: 'shop', request_id: `${key}-start`})).workflow_id, started.workflow_id);
    assert.equal((await statusOf(workflow)).handoffs.length, 1);
  });

  test('what is wrong is refused by the name of its field, and adds nothing', async () => {
    const workflow = await start();
    const before = (await statusOf(workflow)).position;
    for (const [path, body, field] of [
      ['', {}, 'project_name'],
      ['', {project_name: 'p', workflow_id: 'wf-1'}, 'workflow_id'],
      ['', {project_name: 'x'.repeat(256)}, 'project_name'],
      ['/wf-1/phases', {phase: 'p'}, 'workflow_id'],
      [`/${workflow}/phases`, {phase: 'p'.repeat(51)}, 'phase'],
      [`/${workflow}/phases`, {phase: 'p', correlation_ids: ['x']}, 'correlation_ids[0]'],
      [`/${workflow}/phases`, {phase: 'p', request_id: 'a b'}, 'request_id'],
      [`/${workflow}/handoffs`, {...HANDOFF, context: [1]}, 'context'],
      [`/${workflow}/handoffs`, {...HANDOFF, to_agent: ''}, 'to_agent'],
      [`/${workflow}/handoffs`, {...HANDOFF, deadline: 'soon'}, 'deadline'],
      [`/${workflow}/handoffs`, {from_agent: 'a', to_agent: 'b'}, 'task_description'],
      [`/${workflow}/validations`, {from_agent: 'a', handoff_id: 'x'}, 'handoff_id'],
    ]) {
      const problem = await refused(400, 'INVALID_ARGUMENT', path, body);
      assert.equal(problem.field, field, JSON.stringify(problem));
    }
    await refused(409, 'WORKFLOW_ALREADY_STARTED', '', {project_name: 'shop', workflow_id: workflow});
    await refused(404, 'WORKFLOW_NOT_FOUND', `/${randomUUID()}/phases`, {phase: 'p'});
    await refused(404, 'HANDOFF_NOT_FOUND', `/${workflow}/validations`, {from_agent: 'a', handoff_id: randomUUID()});
    assert.equal((await rest.get(`/api/v1/workflows/${randomUUID()}/status`)).status, 404);
    assert.equal((await statusOf(workflow)).position, before);
  });

  test('parents that are given replace those that would be found', async () => {
    const workflow = await start();
    const cause = randomUUID();
    const phase = await take(`/${workflow}/phases`, {phase: 'analysis', correlation_ids: [cause]});
    assert.deepEqual(phase.correlation_ids, [cause]);
    const validation = await take(`/${workflow}/validations`, {from_agent: 'a', target_agent: 'b', correlation_ids: [cause]});
    assert.deepEqual(validation.correlation_ids, [cause]);
  });

  test('the same by gRPC', async () => {
    const {step: {workflow_id}} = await grpc.call('StartWorkflow', {project_name: 'shop'});
    const {step} = await grpc.call('RequestHandoff', {workflow_id, ...HANDOFF, context: {text: '{"n":12345678901234567890}'}});
    assert.equal(step.correlation_ids.length, 1);
    assert.match((await rest.get(`/api/v1/events/${step.event_id}`)).text, /"context":\{"n":12345678901234567890\}/);
    await assert.rejects(grpc.call('CompletePhase', {workflow_id, phase: ''}), {code: 'INVALID_ARGUMENT', field: 'phase'});
    await assert.rejects(grpc.call('RequestValidation', {workflow_id}),
      {code: 'FAILED_PRECONDITION', reason: 'HANDOFF_NOT_COMPLETED'});
    await grpc.call('CompleteWorkflow', {workflow_id});
    await assert.rejects(grpc.call('CompleteWorkflow', {workflow_id}),
      {code: 'FAILED_PRECONDITION', reason: 'WORKFLOW_COMPLETED'});
    const {status} = await grpc.call('GetWorkflowStatus', {workflow_id});
    assert.deepEqual([status.handoffs[0].state, status.project_name], ['requested', 'shop']);
  });

  describe('god33 workflow', () => {
    // A workflow, and a process that has handed a task over and waits.
    const waiting = async (...args) => {
      const workflow = await printed(['workflow', 'start', '--project', 'shop']);
      const process = Process.start(executable('god33'), ['workflow', 'handoff', workflow, '--from', 'bmad-architect',
        '--to', 'letta-python-dev', '--task', 'Implement it', '--wait', ...args], environment);
      const [handoff] = await until('it is handed over', async () => {
        const {handoffs} = await statusOf(workflow);
        return handoffs.length > 0 && handoffs;
      });
      return {workflow, process, handoff: handoff.handoff_id, session: randomUUID()};
    };

    const accept = ({workflow, handoff, session}) => act(handoff,
      [['agent.handoff.accepted', {workflow_id: workflow, agent_type: 'letta', session_id: session}]]);

    const said = (process, pattern) => until(`it says ${pattern}`, () => pattern.test(process.err));

    test('from the start to the end', async () => {
      const workflow = await printed(['workflow', 'start', '--project', 'shop', '--from', 'bmad-analyst']);
      assert.match(workflow, /^[0-9a-f-]{36}$/);
      const phase = await printed(['workflow', 'phase', workflow, 'analysis', '--next', 'planning', '--summary', 's']);
      const dry = JSON.parse(await printed(['workflow', 'handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't',
        '--json', '@-', '--deadline', '2h', '--dry-run', '-o', 'json'], {input: ' {"n":1.10} \n'}));
      assert.deepEqual([dry.event_id, dry.correlation_ids, dry.event_type], ['', [phase], 'bmad.workflow.handoff.requested']);
      assert.ok(Math.abs(Date.parse(dry.payload.deadline) - Date.now() - 7_200_000) < 60_000);
      assert.equal((await statusOf(workflow)).handoffs.length, 0);
      const handoff = await printed(['workflow', 'handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't',
        '--json', '-', '--request-id', 'r1'], {input: '{"n":1.10}'});
      const again = await god33(['workflow', 'handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't',
        '--json', '{"n":1.10}', '--request-id', 'r1']);
      assert.deepEqual([again.code, again.out.trim()], [0, handoff]);
      assert.match(again.err, /said before/);
      const early = await god33(['workflow', 'validate', workflow, '--from', 'qa']);
      assert.deepEqual([early.code, early.out], [1, '']);
      assert.match(early.err, /is requested.*\(HANDOFF_NOT_COMPLETED\)/);
      const completed = await act(handoff, [['agent.letta.task.completed', {session_id: randomUUID(), workflow_id: workflow}]]);
      const validation = JSON.parse(await printed(['workflow', 'validate', workflow, '--from', 'qa', '-o', 'json']));
      assert.deepEqual(validation.correlation_ids, [completed]);
      await printed(['workflow', 'complete', workflow, '--summary', 'shipped']);
      const table = await printed(['workflow', 'status', workflow]);
      assert.match(table, /a -> b {2}completed/);
      assert.match(table, /^completed_at +2/m);
      for (const [code, reason, args] of [
        [1, /WORKFLOW_COMPLETED/, ['phase', workflow, 'x']],
        [3, /WORKFLOW_NOT_FOUND/, ['status', randomUUID()]],
        [3, /WORKFLOW_NOT_FOUND/, ['phase', randomUUID(), 'x']],
        [4, /WORKFLOW_ALREADY_STARTED/, ['start', '--project', 'p', '--id', workflow]],
        [2, /--project is required/, ['start']],
        [2, /--json/, ['handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't', '--json', '{']],
        [2, /--deadline/, ['handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't', '--deadline', 'soon']],
        [2, /--wait|--dry-run/, ['handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't', '--wait', '--dry-run']],
        [2, /ID/, ['status', 'wf-1']],
      ]) {
        const end = await god33(['workflow', ...args]);
        assert.equal(end.code, code, `${args.join(' ')}: ${end.err}`);
        assert.equal(end.out, '');
        assert.match(end.err, reason);
      }
    });

    test('--wait tells what happens, through a restart of the API, and prints what came of it', async () => {
      const waiter = await waiting('-o', 'json');
      const accepted = await accept(waiter);
      await said(waiter.process, /took the task over/);
      const {session} = waiter;
      await act(accepted, [['agent.letta.checkpoint.saved', {session_id: session, checkpoint_id: 'c-1', summary: 'half'}]]);
      await said(waiter.process, /Checkpoint c-1 saved: half/);
      await services.api.kill();
      await services.manager.untilHealthy();
      await said(waiter.process, /the stream broke/);
      const question = await act(accepted,
        [['agent.feedback.requested', {session_id: session, question: 'JWT or cookies?', options: ['JWT', 'cookies']}]]);
      await services.api.startAgain();
      await said(waiter.process, new RegExp(`JWT or cookies\\?\n {2}- JWT\n {2}- cookies\n.*god33 feedback answer ${question}`));
      assert.equal((await statusOf(waiter.workflow)).open_questions[0].request_id, question);
      await act(accepted, [['agent.letta.task.completed', {session_id: session, summary: 'Done', n: 7}]]);
      assert.deepEqual(await waiter.process.exited, {code: 0, signal: null});
      assert.deepEqual(JSON.parse(waiter.process.out), {session_id: session, summary: 'Done', n: 7});
      for (const once of [/took the task over/g, /Checkpoint c-1/g, /JWT or/g, /Task completed/g]) {
        assert.equal(waiter.process.err.match(once).length, 1, waiter.process.err);
      }
    });

    test('--wait goes on while a failed session is recovered', async () => {
      const waiter = await waiting();
      const accepted = await accept(waiter);
      const {session} = waiter;
      const recovery = randomUUID();
      const failed = await act(accepted,
        [['agent.letta.session.failed', {session_id: session, failure_reason: 'connection_timeout'}]]);
      await said(waiter.process, /Session failed/);
      await act(failed, [
        ['agent.letta.session.recovery.started', {session_id: session, new_session_id: recovery, epoch: 2}],
        ['agent.letta.task.completed', {session_id: recovery, summary: 'After all'}],
      ]);
      assert.equal((await waiter.process.exited).code, 0);
      assert.equal(JSON.parse(waiter.process.out).summary, 'After all');
    });

    test('--wait ends with 1 when the work comes to nothing, and says why', async () => {
      for (const [events, reason] of [
        [[['agent.handoff.rejected', {reason: 'deadline_passed', detail: 'yesterday'}]],
          /was rejected: deadline_passed \(yesterday\) \(HANDOFF_REJECTED\)/],
        [[['agent.letta.task.blocked', {reason: 'no key', needs: 'a key'}]], /is blocked: no key \(a key\) \(HANDOFF_BLOCKED\)/],
        [[['agent.letta.task.cancelled', {reason: 'dropped'}]], /was cancelled: dropped \(HANDOFF_CANCELLED\)/],
      ]) {
        const waiter = await waiting();
        const [[type, payload]] = events;
        const parent = type === 'agent.handoff.rejected' ? waiter.handoff : await accept(waiter);
        await act(parent, [[type, {workflow_id: waiter.workflow, session_id: waiter.session, ...payload}]]);
        assert.equal((await waiter.process.exited).code, 1);
        assert.match(waiter.process.err, reason);
        assert.equal(waiter.process.out, '');
      }
    });

    test('a wait that is interrupted or runs out of time says how to go on, and that shows what was missed', async () => {
      const waiter = await waiting();
      await said(waiter.process, /Waiting for the hand-off/);
      waiter.process.signal('SIGINT');
      assert.equal((await waiter.process.exited).code, 1);
      const [, hint] = /to go on waiting: god33 (workflow wait \S+ --handoff \S+)/.exec(waiter.process.err);
      const late = await god33([...hint.split(' '), '--timeout', '300ms']);
      assert.equal(late.code, 5, late.err);
      assert.match(late.err, /WAIT_TIMED_OUT/);
      const accepted = await accept(waiter);
      // What was blocked and goes on is not what it waits for.
      await act(accepted, [
        ['agent.letta.task.blocked', {session_id: waiter.session, reason: 'r'}],
        ['agent.letta.session.resumed', {session_id: waiter.session}],
        ['agent.letta.task.completed', {session_id: waiter.session, summary: 'Done'}],
      ]);
      const end = await god33(hint.split(' '));
      assert.equal(end.code, 0, end.err);
      assert.equal(JSON.parse(end.out).summary, 'Done');
      assert.match(end.err, /took the task over.*\n.*Blocked.*\n.*resumed.*\n.*completed/);
      const nothing = await god33(['workflow', 'wait', await start()]);
      assert.equal(nothing.code, 3, nothing.err);
    });

    test('without the manager or the API it ends with 5', async () => {
      const away = {...environment, GOD33_EVENT_STORE_MANAGER_ADDR: '127.0.0.1:9'};
      const lost = await run(executable('god33'), ['workflow', 'start', '--project', 'p'], {env: away, timeout: 30_000});
      assert.equal(lost.code, 5, lost.stderr);
      assert.match(lost.stderr, /--request-id [0-9a-f-]{36}/);
      const workflow = await start();
      const blind = await run(executable('god33'), ['workflow', 'handoff', workflow, '--from', 'a', '--to', 'b', '--task', 't',
        '--wait'], {env: {...environment, GOD33_EVENT_STORE_API_ADDR: '127.0.0.1:9'}, timeout: 30_000});
      assert.equal(blind.code, 5, blind.stderr);
      assert.match(blind.stderr, /god33 workflow wait/);
      assert.equal((await statusOf(workflow)).handoffs.length, 1);
    });
  });
});
