// Tasks that something happens to at each step of their work, and what must hold of them afterwards. Each does one
// thing that must not be done twice: a line in `effects`.

import assert from 'node:assert/strict';
import {describe as told, OVER} from './bridge.mjs';
import {BASE_ENVIRONMENT, executable} from './environment.mjs';
import {run} from './run.mjs';
import {until} from './wait.mjs';

export const DEADLINE_MS = 30_000; // after the last fault nothing is stuck any more

const EFFECT = {line: 1};
const progress = (summary) => ({tool: 'report_progress', arguments: {summary}});
const append = {tool: 'append', arguments: EFFECT};
const END = [{tool: 'complete_task', arguments: {summary: 'Done', next_action: 'qa_review'}}, {say: 'Done.'}];

export const SCRIPTS = {
  // The model takes its time, after a checkpoint where there is one each 6 messages.
  answering: [progress('one'), progress('two'), progress('three'), {...append, delay_ms: 5000}, ...END],
  // The effect is there already, and no checkpoint knows of it.
  after_effect: [append, {...progress('appended'), delay_ms: 5000}, ...END],
  calling: [{tool: 'append_slowly', arguments: EFFECT}, ...END],
  paused: [append, {tool: 'ask_human', arguments: {question: 'May I go on?'}}, {say: 'I wait.'}, ...END],
  fresh: [append, ...END],
};

export class FaultedTasks {
  constructor(bridges) {
    this.bridges = bridges;
  }

  all = []; // {id, workflow, step}

  async handOff(step, options) {
    const task = {...(await this.bridges.handOff(SCRIPTS[step], options)), step};
    this.all.push(task);
    return task;
  }

  // One task for each of these steps, as soon as each is there.
  async at(...steps) {
    const {bridges} = this;
    const journal = (task, where) => until(`${task.step} calls`, () => bridges.database.value(
      `SELECT true FROM letta_tool_calls WHERE task_id = $1 AND ${where}`, task.id), {within: 30_000});
    const there = {
      answering: (task) => bridges.untilEvent(task, 'agent.letta.context.updated', {count: 3}),
      after_effect: (task) => journal(task, 'result IS NOT NULL'),
      calling: (task) => journal(task, 'result IS NULL'),
      paused: (task) => bridges.untilEvent(task, 'agent.letta.session.paused'),
      fresh: () => {},
    };
    // Those that stay where they are come first.
    const tasks = {};
    for (const group of [['paused'], ['answering', 'after_effect', 'calling'], ['fresh']]) {
      const wanted = group.filter((step) => steps.includes(step));
      for (const step of wanted) tasks[step] = await this.handOff(step);
      await Promise.all(wanted.map((step) => there[step](tasks[step])));
    }
    return tasks;
  }

  // Answers the question of a paused task.
  async answer(task) {
    const question = await this.bridges.untilEvent(task, 'agent.feedback.requested');
    await this.bridges.answer(question.event_id, 'Go on');
  }

  // Waits until all tasks are completed, while somebody answers what they ask.
  async finish(since = Date.now()) {
    const answered = new Set();
    await Promise.all(this.all.map(async (task) => {
      let events = [];
      const isOver = async () => {
        events = await this.bridges.events(task);
        const open = events.filter(({type}) => type === 'agent.feedback.requested').at(-1);
        const settled = open && events.some(({type, parents}) => type === 'agent.feedback.response' && parents.includes(open.event_id));
        if (open && !settled && !answered.has(open.event_id)) {
          answered.add(open.event_id);
          await this.bridges.answer(open.event_id, 'It was done. Go on');
        }
        return events.some(({type}) => OVER.includes(type));
      };
      const within = Math.max(1000, since + DEADLINE_MS - Date.now());
      await until('over', isOver, {within, every: 250}).catch(async (error) => {
        assert.fail(`${task.step} ${task.id}: ${error.message}; ${await this.bridges.database.value(
          'SELECT waits_for FROM letta_tasks WHERE task_id = $1', task.id)}\n${told(events)}`);
      });
    }));
  }

  // What must hold when all is over.
  async check() {
    for (const task of this.all) {
      const events = await this.bridges.events(task);
      const what = `${task.step} ${task.id}:\n${told(events)}`;
      const count = (type) => events.filter((event) => event.type === type).length;
      assert.equal(count('agent.handoff.accepted'), 1, what);
      assert.equal(count('agent.letta.task.completed'), 1, what);
      const asked = events.some(({payload}) => payload.question?.startsWith('outcome_unknown'));
      const effects = await this.bridges.effects(task);
      assert.ok(effects.length === 1 || (asked && effects.length === 0), `${effects.length} effects of ${what}`);
      assert.ok(!asked || task.step === 'calling' || task.mayBeUnknown, `asked: ${what}`);
      replacedSessionsAreSilent(events, what);
      recoveriesAreWhole(events, what);
      for (const {type, payload_errors: errors} of events) assert.equal(errors, null, `${type}: ${errors}`);
    }
    const {database} = this.bridges;
    assert.equal(await database.value(
      "SELECT count(*) FROM letta_tasks WHERE status IN ('waiting', 'active', 'paused', 'recovering')"), 0, 'open tasks');
    await until('no lease is held', async () =>
      (await database.value("SELECT count(*) FROM letta_leases WHERE expires_at > clock_timestamp()")) === 0);
    assert.equal(await database.value("SELECT count(*) FROM letta_agents WHERE state = 'busy'"), 0, 'busy agents');
    const verified = await run(executable('god33'), ['projection', 'verify'], {timeout: 60_000, env: {...BASE_ENVIRONMENT,
      GOD33_EVENT_STORE_MANAGER_ADDR: this.bridges.services.manager.grpc,
      GOD33_EVENT_STORE_API_ADDR: this.bridges.services.api.grpc}});
    assert.equal(verified.code, 0, `${verified.stdout}${verified.stderr}`);
  }
}

// After a recovery has started, nobody says anything in the name of the session before.
function replacedSessionsAreSilent(events, what) {
  const replaced = new Set();
  for (const {type, payload} of events) {
    assert.ok(!replaced.has(payload.session_id), `a replaced session says ${type}; ${what}`);
    if (type === 'agent.letta.session.recovery.started') replaced.add(payload.session_id);
  }
}

// The parents of pattern 3, and an epoch that grows.
function recoveriesAreWhole(events, what) {
  const cause = {
    'agent.letta.session.recovery.started': 'agent.letta.session.failed',
    'agent.letta.context.restored': 'agent.letta.session.recovery.started',
    'agent.letta.task.resumed': 'agent.letta.context.restored',
  };
  const newest = {};
  let epoch = 0;
  for (const {event_id: id, type, parents, payload} of events) {
    if (cause[type]) assert.deepEqual(parents, [newest[cause[type]]], what);
    newest[type] = id;
    if (type !== 'agent.letta.session.recovery.started') continue;
    assert.ok(payload.epoch > epoch, what);
    epoch = payload.epoch;
  }
}
