// What runs under a task goes away at each of its steps: Letta is killed, its connection is cut, PostgreSQL and RabbitMQ
// are restarted, hand-offs come twice and out of order. The bridge brings each task to its end, once.

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {Proxy} from '../chaos/proxy.mjs';
import {BridgeSet, describe as told} from './support/bridge.mjs';
import {canonical} from './support/events.mjs';
import {FaultedTasks, scriptOf} from './support/faulted_tasks.mjs';
import {until} from './support/wait.mjs';

describe('faults below a task', () => {
  let bridges, proxy, tasks;

  before(async () => {
    const through = async (url) => {
      const {hostname: host, port} = new URL(url);
      proxy = await Proxy.start('bridge>letta', null, () => ({host, port: Number(port)}));
      return `ws://${proxy.address}`;
    };
    bridges = await BridgeSet.start('recovery', {letta: through, environment: {GOD33_CHECKPOINT_MESSAGES: '6',
      GOD33_LETTA_STALL_SECONDS: '12'}});
    await bridges.bridge();
    tasks = new FaultedTasks(bridges);
  });

  after(async () => {
    proxy?.end();
    await bridges?.end();
  });

  test('Letta is killed: pattern 3, and an answer and a hand-off that came meanwhile', async (t) => {
    const {answering} = await tasks.at('answering', 'after_effect', 'calling', 'paused', 'fresh');
    await bridges.letta.killServer();
    await tasks.answer();
    await tasks.handOff('fresh');
    await bridges.letta.startServer();
    const started = Date.now();
    await tasks.finish(started);
    t.diagnostic(`all completed ${Date.now() - started} ms after Letta was back`);

    const events = await bridges.events(answering);
    const types = events.map(({type}) => type);
    const from = types.indexOf('agent.letta.session.failed');
    assert.ok(from > 0, told(events));
    const [failed, recovering, restored, resumed] = events.slice(from);
    assert.deepEqual(types.slice(from, from + 4), ['agent.letta.session.failed', 'agent.letta.session.recovery.started',
      'agent.letta.context.restored', 'agent.letta.task.resumed']);
    const saved = events.slice(0, from).findLast(({type}) => type === 'agent.letta.checkpoint.saved');
    assert.equal(saved.payload.checkpoint_type, 'progress');
    const checkpoint = saved.payload.checkpoint_id;
    assert.equal(failed.payload.session_id, saved.payload.session_id);
    assert.equal(failed.payload.last_checkpoint_id, checkpoint);
    assert.ok(failed.payload.failure_reason);
    assert.equal(recovering.payload.recovering_from_checkpoint, checkpoint);
    assert.deepEqual(recovering.parents, [failed.event_id]);
    const session = recovering.payload.new_session_id;
    assert.notEqual(session, failed.payload.session_id);
    assert.deepEqual([restored.payload.session_id, restored.payload.checkpoint_id, restored.parents],
      [session, checkpoint, [recovering.event_id]]);
    assert.ok(restored.payload.context_delta);
    assert.deepEqual([resumed.payload.session_id, resumed.payload.resuming_from, resumed.parents],
      [session, checkpoint, [restored.event_id]]);
    const completed = events.at(-1);
    assert.deepEqual([completed.type, completed.payload.session_id], ['agent.letta.task.completed', session]);
    for (const parent of [answering.id, saved.event_id, resumed.event_id]) assert.ok(completed.parents.includes(parent));
    // It went on where it was: what it had told was not told again.
    assert.equal(types.filter((type) => type === 'agent.letta.context.updated').length, 3, told(events));
  });

  test('Letta is killed again during the recovery', async () => {
    const {answering} = await tasks.at('answering', 'after_effect');
    await bridges.letta.killServer();
    await bridges.letta.startServer();
    await bridges.untilEvent(answering, 'agent.letta.session.recovery.started');
    await bridges.letta.killServer();
    await bridges.letta.startServer();
    await tasks.finish();
  });

  test('the connection to Letta is cut', async () => {
    await tasks.at('answering', 'after_effect', 'calling', 'paused', 'fresh');
    proxy.cut();
    await tasks.answer();
    await tasks.finish();
  });

  test('PostgreSQL and RabbitMQ are restarted', async () => {
    await tasks.at('answering', 'calling', 'paused', 'fresh');
    await tasks.answer();
    await Promise.all(['postgres', 'rabbitmq'].map((server) => bridges.set.servers.restartServer(server)));
    await bridges.connect();
    await tasks.handOff('fresh');
    await tasks.finish();
  });

  test('hand-offs come twice and before their causes, to two bridges', async () => {
    await bridges.bridge('second');
    const events = Array.from({length: 3}, () => canonical({event_type: 'bmad.workflow.phase.completed',
      payload: {workflow_id: canonical().event_id, phase: 'solutioning'}}));
    const handoffs = events.map(({event_id: parent, payload}) => canonical({event_type: 'bmad.workflow.handoff.requested',
      correlation_ids: [parent], payload: {workflow_id: payload.workflow_id, from_agent: 'bmad-architect',
        to_agent: 'letta-python-dev', task_description: 'Test task', context: {script: scriptOf('fresh')}}}));
    await Promise.all([...handoffs, ...handoffs.toReversed()].map((event) => bridges.publisher.publishEvent(event)));
    for (const event of [...events, ...handoffs]) await bridges.publisher.publishEvent(event);
    tasks.all.push(...handoffs.map(({event_id: id, payload}) => ({id, workflow: payload.workflow_id, step: 'fresh'})));
    await tasks.finish();
    await until('the causes are stored', async () => (await bridges.database.value(
      'SELECT count(*) FROM event_ids WHERE event_id = ANY ($1)', events.map((event) => event.event_id))) === events.length);
  });

  test('every task was done once, and nobody who was replaced wrote', () => tasks.check());
});
