// Tasks that something happens to at each step of their work, and what must hold of them afterwards. Each does one
// thing that must not be done twice: a line in `effects`.

import assert from 'node:assert/strict';
import {describe as told} from './bridge.mjs';
import {BASE_ENVIRONMENT, executable} from './environment.mjs';
import {run} from './run.mjs';
import {until} from './wait.mjs';

export const DEADLINE_MS = 30_000; // after the last fault nothing is stuck any more

const EFFECT = {line: 1};
const progress = (summary) => ({tool: 'report_progress', arguments: {summary}});
const append = {tool: 'append', arguments: EFFECT};
const END = [{tool: 'complete_task', arguments: {summary: 'Done', next_action: 'qa_review'}}, {say: 'Done.'}];

// What the model says in each step; `word` when it takes its time, which its log shows at once.
export const scriptOf = (step, word) => ({
  // After a checkpoint, where there is one each 6 messages.
  answering: [progress('one'), progress('two'), progress('three'), {say: word, ...append, delay_ms: 5000}, ...END],
  // The effect is there already, and no checkpoint knows of it.
  after_effect: [append, {say: word, ...progress('appended'), delay_ms: 5000}, ...END],
  calling: [{tool: 'append_slowly', arguments: EFFECT}, ...END],
  paused: [append, {tool: 'ask_human', arguments: {question: 'May I go on?'}}, {say: 'I wait.'}, ...END],
  fresh: [append, ...END],
})[step];

export class FaultedTasks {
  constructor(bridges) {
    this.bridges = bridges;
  }

  all = []; // {id, workflow, step, mayBeUnknown: whether its command may have been interrupted}

  async handOff(step, options) {
    const word = `I think ${this.all.length}.`;
    const task = {...(await this.bridges.handOff(scriptOf(step, word), options)), step, word};
    this.all.push(task);
    return task;
  }

  // One task for each of these steps, as soon as each is there.
  async at(...steps) {
    const {bridges} = this;
    const thinks = (task) => until(`${task.step} thinks`, async () =>
      (await bridges.letta.log('scripted-model')).includes(`"${task.word}"`), {within: 30_000});
    const there = {
      answering: thinks,
      after_effect: thinks,
      calling: (task) => until('calling calls', () => bridges.database.value(
        'SELECT true FROM letta_tool_calls WHERE task_id = $1 AND result IS NULL', task.id), {within: 30_000}),
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

  // Answers every question that waits, once.
  async answer(decision = 'Go on') {
    for (const {request_id: id} of await this.bridges.database.rows(
      "SELECT request_id FROM letta_questions WHERE status = 'pending' AND task_id IS NOT NULL")) {
      if (this.#answered.has(id)) continue;
      this.#answered.add(id);
      await this.bridges.answer(id, decision);
    }
  }

  // Waits until all tasks are over, while somebody answers what they ask.
  async finish(since = Date.now()) {
    const within = Math.max(1000, since + DEADLINE_MS - Date.now());
    let open = [];
    await until('all tasks are over', async () => {
      const over = await this.bridges.database.rows(
        "SELECT task_id FROM letta_tasks WHERE status IN ('completed', 'blocked', 'rejected', 'cancelled')");
      const ids = new Set(over.map((row) => row.task_id));
      open = this.all.filter((task) => !ids.has(task.id));
      await this.answer('It was done. Go on');
      return open.length === 0;
    }, {within, every: 200}).catch(async (error) => {
      const stories = await Promise.all(open.map(async (task) => `${task.step} ${task.id}: ${await this.bridges.database.value(
        'SELECT waits_for FROM letta_tasks WHERE task_id = $1', task.id)}\n${told(await this.bridges.events(task))}`));
      assert.fail([error.message, ...stories].join('\n'));
    });
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
      assert.ok(!asked || task.mayBeUnknown, `asked: ${what}`);
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

  #answered = new Set();
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
