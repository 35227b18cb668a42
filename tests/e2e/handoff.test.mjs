// Hand-offs over the bus become work of Letta agents: the sequences of seed 001 event by event, what is refused,
// what is done only once, and people who are asked. On the real App Server.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {BridgeSet, describe as told} from './support/bridge.mjs';
import {canonical} from './support/events.mjs';
import {until} from './support/wait.mjs';

const CHECKPOINT_MESSAGES = 8;

const progress = (summary, extra = {}) => ({tool: 'report_progress', arguments: {summary, ...extra}});
const complete = (summary = 'Done') => ({tool: 'complete_task', arguments: {summary}});
const ask = (question, extra = {}) => ({tool: 'ask_human', arguments: {question, ...extra}});
const append = (line) => ({tool: 'append', arguments: {line}});
const WAITING = {say: 'I wait for the answer.'};

const types = (events) => events.map(({type}) => type);
const idsOf = (events, type) => events.filter((event) => event.type === type).map((event) => event.event_id);

describe('hand-offs', () => {
  let bridges, bridge;

  before(async () => {
    bridges = await BridgeSet.start('handoff', {environment: {GOD33_CHECKPOINT_MESSAGES: String(CHECKPOINT_MESSAGES), GOD33_LETTA_AGENTS_PER_TYPE: '4'}});
    bridge = await bridges.bridge();
  });

  after(() => bridges?.end());

  const get = async (route, parameters) => {
    const response = await bridges.rest.get(route, parameters);
    assert.equal(response.status, 200, response.text);
    return JSON.parse(response.text);
  };

  // The question of a task, when the session is paused for it.
  const asked = async (task, count = 1) => {
    await bridges.untilEvent(task, 'agent.letta.session.paused', {count});
    return (await bridges.last(task, 'agent.feedback.requested')).event_id;
  };

  describe('one of them', {concurrency: 4}, () => {
    test('pattern 1: from analysis to validation, as story 012 wants it', async () => {
      const workflow = randomUUID();
      const step = (type, parents, payload) => bridges.publish(`bmad.workflow.${type}`, {workflow_id: workflow, ...payload}, {parents});
      const started = await step('started', [], {project_name: 'shop', phase: 'analysis'});
      const analysis = await step('phase.completed', [started], {phase: 'analysis', next_phase: 'planning'});
      const planning = await step('phase.completed', [analysis], {phase: 'planning', next_phase: 'solutioning'});
      const solutioning = await step('phase.completed', [analysis, planning], {phase: 'solutioning', next_phase: 'implementation'});
      const artifacts = [{type: 'code', path: 'src/auth.py', status: 'created'}];
      const validation = {tests_passed: true, lint_passed: true, coverage_pct: 91.5};
      const task = await bridges.handOff([
        progress('one', {files_modified: ['src/auth.py'], current_focus: 'JWT', next_steps: ['tests']}),
        ...['two', 'three', 'four', 'five'].map((summary) => progress(summary)),
        {tool: 'complete_task', arguments: {summary: 'Auth is there', artifacts, validation, next_action: 'qa_review'}},
        {say: 'Done.'},
      ], {workflow, parents: [solutioning], task_type: 'implement_feature'});
      const completed = await bridges.untilOver(task);
      const validating = await step('validation.requested', [completed.event_id],
        {from_agent: 'bmad-code-reviewer', target_agent: 'letta-python-dev', validation_type: 'code_review'});

      const events = await bridges.events(task);
      const [request, accepted, initial] = events;
      assert.deepEqual(types(events.slice(0, 3)),
        ['bmad.workflow.handoff.requested', 'agent.handoff.accepted', 'agent.letta.checkpoint.saved']);
      assert.deepEqual(request.parents, [solutioning]);
      assert.deepEqual(accepted.parents, [task.id]);
      assert.equal(accepted.payload.accepted_from, 'bmad-architect');
      assert.equal(accepted.payload.checkpoint_id, initial.payload.checkpoint_id);
      const checkpoints = events.filter(({type}) => type === 'agent.letta.checkpoint.saved');
      assert.deepEqual(checkpoints.map(({payload}) => payload.checkpoint_type), ['initial', 'progress', 'milestone']);
      for (const checkpoint of checkpoints) assert.deepEqual(checkpoint.parents, [accepted.event_id]);
      assert.deepEqual(checkpoints[1].payload.context_snapshot.files_modified, [], 'that of the newest report');
      assert.deepEqual(completed.parents.toSorted(), [accepted.event_id, checkpoints.at(-1).event_id].sort());
      assert.deepEqual([completed.payload.artifacts, completed.payload.validation, completed.payload.next_action],
        [artifacts, validation, 'qa_review']);
      assert.equal(completed.payload.final_checkpoint_id, checkpoints.at(-1).payload.checkpoint_id);
      assert.equal(events.filter(({type}) => type === 'agent.letta.context.updated').length, 5);
      for (const {type, payload_errors: errors} of events) assert.equal(errors, null, `${type}: ${errors}`);

      await until('validation is stored', () => bridges.database.value('SELECT true FROM event_ids WHERE event_id = $1', validating));
      const {ancestors} = await get(`/api/v1/events/${validating}/ancestors`);
      const before = new Set(ancestors.map(({event}) => event.event_id));
      for (const id of [started, analysis, planning, solutioning, task.id, accepted.event_id, completed.event_id]) {
        assert.ok(before.has(id), id);
      }
      const {descendants} = await get(`/api/v1/events/${task.id}/descendants`, {max_depth: 1});
      assert.deepEqual(descendants.map(({event}) => event.event_id), [accepted.event_id]);
      const listed = async (type) => (await get('/api/v1/events', {workflow_id: workflow, event_type: type})).total;
      assert.equal(await listed('bmad.workflow.handoff.requested'), 1);
      assert.equal(await listed('agent.handoff.accepted'), 1);

      const state = await until('it is folded', async () => {
        const now = await get(`/api/v1/workflows/${workflow}/state`);
        return JSON.stringify(now).includes('letta-python-dev') && now;
      });
      assert.equal((state.workflow ?? state).current_agent, 'letta-python-dev');
      const session = await until('the session is completed', async () => {
        const now = await get(`/api/v1/agents/${accepted.payload.session_id}`);
        return JSON.stringify(now).includes('"completed"') && now;
      });
      assert.ok(JSON.stringify(session).includes(accepted.payload.session_id));
      const saved = await get(`/api/v1/agents/${accepted.payload.session_id}/checkpoints`);
      assert.deepEqual(saved.checkpoints.map((checkpoint) => checkpoint.checkpoint_id).sort(),
        checkpoints.map(({payload}) => payload.checkpoint_id).sort());
    });

    test('pattern 4: a question, its answer, and the same session goes on', async () => {
      const task = await bridges.handOff([append('before'),
        ask('Should authentication use JWT or session cookies?', {context: 'Three services', options: ['JWT', 'cookies']}),
        WAITING, append('after'), complete(), {say: 'Done.'}]);
      const question = await asked(task);
      assert.equal(await bridges.status(task), 'paused');
      const answer = await bridges.answer(question, 'Use JWT with refresh tokens',
        {payload: {rationale: 'Better for microservices', from_agent: 'human_user'}});
      await bridges.untilOver(task);
      const events = await bridges.events(task);
      const from = types(events).indexOf('agent.feedback.requested');
      const [requested, checkpoint, paused, response, resumed, updated] = events.slice(from);
      assert.deepEqual(types(events.slice(from, from + 6)), ['agent.feedback.requested', 'agent.letta.checkpoint.saved',
        'agent.letta.session.paused', 'agent.feedback.response', 'agent.letta.session.resumed', 'agent.letta.context.updated']);
      assert.deepEqual([requested.payload.from_agent, requested.payload.blocking, requested.payload.options],
        ['letta-python-dev', true, ['JWT', 'cookies']]);
      assert.deepEqual([checkpoint.parents, checkpoint.payload.checkpoint_type], [[question], 'pre-feedback']);
      assert.deepEqual([paused.parents, paused.payload.reason], [[question], 'awaiting_feedback']);
      assert.equal(response.event_id, answer);
      assert.deepEqual(resumed.parents, [answer]);
      assert.equal(resumed.payload.resuming_from_checkpoint, checkpoint.payload.checkpoint_id);
      assert.deepEqual(updated.parents, [answer]);
      assert.match(updated.payload.decision_incorporated, /^Use JWT with refresh tokens/);
      const sessions = new Set(events.map(({payload}) => payload.session_id).filter(Boolean));
      assert.equal(sessions.size, 1);
      assert.deepEqual(await bridges.effects(task), ['{"line":"before"}', '{"line":"after"}']);
      for (const {type, payload_errors: errors} of events) assert.equal(errors, null, `${type}: ${errors}`);
    });

    test('nobody answers in time: the default is taken', async () => {
      const task = await bridges.handOff([ask('JWT?', {default: 'JWT', timeout_seconds: 1}), WAITING, complete(), {say: 'Done.'}]);
      await bridges.untilOver(task);
      const timedOut = await bridges.last(task, 'agent.feedback.timed_out');
      assert.equal(timedOut.payload.decision, 'JWT');
      assert.deepEqual((await bridges.last(task, 'agent.letta.session.resumed')).parents, [timedOut.event_id]);
      assert.equal((await bridges.last(task, 'agent.letta.context.updated')).payload.decision_incorporated, 'JWT');
      // Too late: it changes nothing any more.
      await bridges.answer(timedOut.parents[0], 'cookies');
      assert.equal(await bridges.count(task, 'agent.letta.session.resumed'), 1);
    });

    test('of two answers at once the first in the log wins', async () => {
      const task = await bridges.handOff([ask('A or B?'), WAITING, complete(), {say: 'Done.'}]);
      const question = await asked(task);
      const appended = canonical({event_type: 'agent.feedback.response', correlation_ids: [question], payload: {decision: 'A'}});
      const [, response] = await Promise.all([
        bridges.answer(question, 'B'),
        bridges.rest.post('/api/v1/events', JSON.stringify(appended)),
        bridges.answer(question, 'C'),
      ]);
      assert.equal(response.status, 201, response.text);
      await bridges.untilOver(task);
      await bridges.untilEvent(task, 'agent.feedback.response', {count: 3});
      const events = await bridges.events(task);
      const [first] = events.filter(({type}) => type === 'agent.feedback.response');
      assert.deepEqual((await bridges.last(task, 'agent.letta.session.resumed')).parents, [first.event_id], told(events));
      assert.equal((await bridges.last(task, 'agent.letta.context.updated')).payload.decision_incorporated, first.payload.decision);
      const late = await until('late answers are known', async () => {
        const rows = await bridges.database.rows('SELECT event_id FROM letta_late_answers WHERE request_id = $1', question);
        return rows.length === 2 && rows;
      });
      assert.ok(late.every((row) => row.event_id !== first.event_id));
    });

    test('questions and answers in the words that live systems use', async () => {
      const task = await bridges.handOff([ask('Which?'), WAITING, complete(), {say: 'Done.'}], {to_agent: 'letta-frontend-dev'});
      await asked(task);
      const answer = await bridges.publish('agent.feedback.response', {agent_id: 'letta-frontend-dev', response: 'the blue one', status: 'ok'});
      await bridges.untilOver(task);
      assert.deepEqual((await bridges.last(task, 'agent.letta.session.resumed')).parents, [answer]);
      assert.equal((await bridges.last(task, 'agent.letta.context.updated')).payload.decision_incorporated, 'the blue one');

      const foreign = await bridges.publish('agent.feedback.requested',
        {agent_id: 'someone-else', message: 'Which?', letta_agent_id: 'agent-1', context: {}, tags: []});
      const status = () => bridges.database.row('SELECT status, answer FROM letta_questions WHERE request_id = $1', foreign);
      await until('it is pending', async () => (await status())?.status === 'pending');
      await bridges.publish('agent.feedback.response', {agent_id: 'someone-else', response: 'the red one', status: 'ok'});
      await until('it is answered', async () => (await status()).status === 'answered');
      assert.equal((await status()).answer, 'the red one');
    });

    test('a question that is withdrawn leaves it to the agent', async () => {
      const task = await bridges.handOff([ask('Which?'), WAITING, complete(), {say: 'Done.'}]);
      const question = await asked(task);
      const withdrawn = await bridges.publish('agent.feedback.withdrawn', {request_id: question, withdrawn_by: 'me', reason: 'settled'},
        {parents: [question]});
      await bridges.untilOver(task);
      assert.deepEqual((await bridges.last(task, 'agent.letta.session.resumed')).parents, [withdrawn]);
    });

    test('checkpoints come after so many messages, between turns', async () => {
      const task = await bridges.handOff([...Array.from({length: 12}, (_, n) => append(n)), complete(), {say: 'Done.'}]);
      await bridges.untilOver(task);
      const counts = (await bridges.events(task)).filter(({type, payload}) =>
        type === 'agent.letta.checkpoint.saved' && payload.checkpoint_type === 'progress')
        .map(({payload}) => payload.letta.message_count);
      assert.ok(counts.length >= 2, `${counts}`);
      let last = 0;
      for (const count of counts) {
        assert.ok(count - last >= CHECKPOINT_MESSAGES && count - last < 2 * CHECKPOINT_MESSAGES, `${counts}`);
        last = count;
      }
      assert.deepEqual(await bridges.effects(task), Array.from({length: 12}, (_, n) => `{"line":${n}}`));
    });

    test('the same event twice on the bus is one task', async () => {
      const task = await bridges.handOff([append(1), complete(), {say: 'Done.'}]);
      const request = await bridges.untilEvent(task, 'bmad.workflow.handoff.requested');
      const again = () => bridges.publish(request.type, request.payload, {id: task.id});
      await again();
      await bridges.untilOver(task);
      await again();
      await once(task);
    });

    test('a retry under the same idempotency key is one task', async () => {
      const key = randomUUID();
      const script = [append(1), complete(), {say: 'Done.'}];
      const task = await bridges.handOff(script, {idempotency_key: key});
      const retry = await bridges.handOff(script, {idempotency_key: key, workflow: task.workflow});
      await bridges.untilOver(task);
      const last = await bridges.handOff(script, {idempotency_key: key, workflow: task.workflow});
      await once(task);
      for (const other of [retry, last]) {
        await bridges.untilEvent(other, 'bmad.workflow.handoff.requested');
        assert.equal(await bridges.status(other), undefined);
      }
      // Another sender's key is another's.
      const others = await bridges.handOff(script, {idempotency_key: key, from_agent: 'bmad-analyst'});
      await bridges.untilOver(others);
    });

    const once = async (task) => {
      assert.equal(await bridges.count(task, 'agent.handoff.accepted'), 1);
      assert.equal(await bridges.count(task, 'agent.letta.task.completed'), 1);
      assert.deepEqual(await bridges.effects(task), ['{"line":1}']);
    };

    const refused = async (task, reason) => {
      const {payload, parents} = await bridges.untilOver(task, {type: 'agent.handoff.rejected'});
      assert.equal(payload.reason, reason);
      assert.ok(payload.detail.length > 10);
      assert.deepEqual(parents, [task.id]);
      assert.equal(await bridges.count(task, 'agent.handoff.accepted'), 0);
    };

    test('a hand-off that breaks its schema is rejected', async () => {
      const broken = [{task_description: undefined}, {from_agent: ''}, {workflow: 'x'}, {task_description: 7}, {deadline: 'soon'}];
      const tasks = await Promise.all(broken.map((payload) => bridges.handOff(undefined, payload)));
      for (const task of tasks) await refused(task, 'invalid_payload');
    });

    test('`task` is an alias of `task_description`', async () => {
      await bridges.untilOver(await bridges.handOff(undefined, {task_description: undefined, task: 'Do it'}));
    });

    test('an unknown type of agent is rejected', async () => {
      await refused(await bridges.handOff(undefined, {to_agent: 'letta-cobol-dev'}), 'unknown_agent');
    });

    test('a deadline that is over is rejected', async () => {
      await refused(await bridges.handOff(undefined, {deadline: '2026-01-27T10:00:00Z'}), 'deadline_passed');
    });

    test('a worktree outside of the workspace is rejected, one inside is worked in', async () => {
      const outside = ['/etc', `${bridges.workspace}/../log`, '../log'];
      const tasks = await Promise.all(outside.map((worktree) => bridges.handOff(undefined, {context: {worktree}})));
      for (const task of tasks) await refused(task, 'invalid_worktree');
      const worktree = path.join(bridges.workspace, 'shop');
      await mkdir(worktree);
      const task = await bridges.handOff([append(1), complete(), {say: 'Done.'}], {context: {worktree}});
      await bridges.untilOver(task);
      assert.deepEqual(await bridges.effects({id: 'shop'}), ['{"line":1}']);
    });

    test('agents that hand a task to and fro are stopped at the fourth time', async () => {
      const pingPong = (depth) => (depth === 0 ? [complete(), {say: 'Done.'}] : [
        {tool: 'request_handoff', arguments: {to_agent: depth % 2 ? 'letta-qa-engineer' : 'letta-ts-dev',
          task_description: `Depth ${depth}`, context: {script: pingPong(depth - 1)}}}, complete(), {say: 'Done.'}]);
      const {workflow} = await bridges.handOff(pingPong(7), {to_agent: 'letta-ts-dev'});
      const rejected = await until('one is rejected', () => bridges.database.row(
        "SELECT payload FROM events WHERE workflow_id = $1 AND event_type = 'agent.handoff.rejected'", workflow), {within: 50_000});
      assert.deepEqual([rejected.payload.reason, rejected.payload.to_agent], ['delegation_loop', 'letta-ts-dev']);
      assert.equal(await bridges.database.value(
        "SELECT count(*) FROM events WHERE workflow_id = $1 AND event_type = 'agent.handoff.accepted'", workflow), 6);
    });

    test('hand-offs to others are left alone', async () => {
      const to = ['director-of-engineering', 'bmad-qa', 'python-dev-letta', ''];
      const others = await Promise.all(to.map((agent) => bridges.handOff(undefined, {to_agent: agent})));
      await bridges.publish('bmad.workflow.handoff.cancelled', {to_agent: 'letta-python-dev'});
      await bridges.untilOver(await bridges.handOff());
      for (const other of others) {
        assert.equal(await bridges.status(other), undefined);
        assert.deepEqual(types(await bridges.events(other)), ['bmad.workflow.handoff.requested']);
      }
    });

    test('agent.handoff.requested is taken the same way', async () => {
      await bridges.untilOver(await bridges.handOff([complete(), {say: 'Done.'}], {type: 'agent.handoff.requested'}));
    });
  });

  test('with one agent the second hand-off waits, and urgent ones go first', async () => {
    await bridge.stop();
    const single = await bridges.bridge('single', {GOD33_LETTA_AGENTS_PER_TYPE: '1'});
    const to = {to_agent: 'letta-service-dev'};
    const first = await bridges.handOff([{say: 'I think.', tool: 'append', arguments: {}, delay_ms: 2500}, complete(), {say: 'Done.'}], to);
    await bridges.untilEvent(first, 'agent.handoff.accepted');
    const script = [complete(), {say: 'Done.'}];
    const low = await bridges.handOff(script, {...to, priority: 'low'});
    const normal = await bridges.handOff(script, to);
    const urgent = await bridges.handOff(script, {...to, priority: 'urgent'});
    await until('all three wait', async () => (await single.metric('god33_tasks_open{status="waiting"}')) === 3);
    assert.equal(await bridges.status(urgent), 'waiting');
    for (const task of [first, urgent, normal, low]) await bridges.untilOver(task);
    const accepted = await bridges.database.rows(`SELECT payload ->> 'task_id' AS task, payload ->> 'agent_instance_id' AS agent
      FROM events WHERE event_type = 'agent.handoff.accepted' AND payload ->> 'task_id' = ANY ($1) ORDER BY position`,
    [first, low, normal, urgent].map(({id}) => id));
    assert.deepEqual(accepted.map(({task}) => task), [first, urgent, normal, low].map(({id}) => id));
    assert.equal(new Set(accepted.map(({agent}) => agent)).size, 1);
    assert.deepEqual(idsOf(await bridges.events(low), 'bmad.workflow.handoff.requested'), [low.id]);
  });
});
