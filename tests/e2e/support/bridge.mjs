// A set with letta-bridge: the store's services, the real App Server with the scripted model, and bridges.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {Publisher} from './bus.mjs';
import {Database} from './database.mjs';
import {canonical} from './events.mjs';
import {Letta} from './letta.mjs';
import {Rest} from './rest.mjs';
import {TestSet} from './set.mjs';
import {until} from './wait.mjs';

// Commands with side effects: each call that runs is one line in `effects`.
const COMMANDS = {
  commands: [
    {name: 'append', description: 'Appends a line', command: ['/bin/sh', '-c', 'cat >> effects; echo >> effects; echo appended']},
    {name: 'append_slowly', description: 'Appends a line in the middle of 3 s',
      command: ['/bin/sh', '-c', 'sleep 1; cat >> effects; echo >> effects; sleep 2; echo appended']},
  ],
};

export const OVER = ['agent.handoff.rejected', 'agent.letta.task.completed', 'agent.letta.task.blocked', 'agent.letta.task.cancelled'];

export class BridgeSet {
  // `letta(url)`: where bridges find the App Server; by default where it is.
  static async start(name, {letta: through = (url) => url, environment = {}} = {}) {
    const bridges = new BridgeSet();
    const set = bridges.set = await TestSet.start(name);
    [bridges.letta, bridges.services] = await Promise.all([Letta.start(path.join(set.directory, 'letta')), set.all()]);
    bridges.rest = new Rest(bridges.services.gateway.rest);
    bridges.database = new Database(set.urls.GOD33_ADMIN_DATABASE_URL);
    bridges.workspace = path.join(set.directory, 'workspace');
    rmSync(bridges.workspace, {recursive: true, force: true}); // an earlier run's
    mkdirSync(bridges.workspace);
    const commands = path.join(set.directory, 'commands.json');
    writeFileSync(commands, JSON.stringify(COMMANDS));
    bridges.environment = {
      LETTA_SERVER_URL: await through(bridges.letta.url),
      GOD33_LETTA_MODEL: bridges.letta.model,
      GOD33_LETTA_WORKSPACE: bridges.workspace,
      GOD33_LETTA_COMMANDS: commands,
      ...environment,
    };
    await bridges.connect();
    return bridges;
  }

  // To the bus, anew.
  async connect() {
    await this.publisher?.close();
    this.publisher = await Publisher.connect(this.set.urls.RABBITMQ_URL);
  }

  // A bridge that serves. `environment` is added to what it needs.
  async bridge(label = 'letta-bridge', environment = {}, executable = 'letta-bridge') {
    const bridge = this.set.service(executable, {...this.environment, ...environment}, label);
    await bridge.start();
    await bridge.untilHealthy();
    return bridge;
  }

  // Publishes an event; its id.
  async publish(type, payload, {parents = [], id = randomUUID(), ...fields} = {}) {
    await this.publisher.publishEvent(canonical({event_id: id, event_type: type, timestamp: new Date().toISOString(),
      correlation_ids: parents, payload, ...fields}));
    return id;
  }

  // Hands a task over; {id, workflow}. `payload` is added to what a hand-off needs.
  async handOff(script, {type = 'bmad.workflow.handoff.requested', workflow = randomUUID(), parents, id, context, ...payload} = {}) {
    const event = await this.publish(type, {workflow_id: workflow, from_agent: 'bmad-architect',
      to_agent: 'letta-python-dev', task_description: 'Test task', context: {...(script && {script}), ...context}, ...payload},
    {parents, id});
    return {id: event, workflow};
  }

  answer(question, decision, {payload, ...options} = {}) {
    return this.publish('agent.feedback.response', {decision, ...payload}, {parents: [question], ...options});
  }

  // All events of a task, as they were stored: its request and all that name it.
  events({id}) {
    return this.database.rows(`
      SELECT event_id, event_type AS type, correlation_ids::text[] AS parents, payload, payload_errors, agent_context
      FROM events WHERE event_id = $1 OR payload ->> 'task_id' = $1::text
        OR event_type = 'agent.feedback.response' AND EXISTS (
          SELECT FROM letta_questions WHERE task_id = $1 AND request_id = ANY (correlation_ids))
      ORDER BY position`, id);
  }

  // Its newest event of the type; undefined: none.
  async last(task, type) {
    return (await this.events(task)).filter((event) => event.type === type).at(-1);
  }

  async count(task, type) {
    return (await this.events(task)).filter((event) => event.type === type).length;
  }

  // The event, as soon as it is there.
  untilEvent(task, type, {within = 30_000, count = 1} = {}) {
    return until(`${count} ${type} of task ${task.id}`, async () => {
      const found = (await this.events(task)).filter((event) => event.type === type);
      return found.length >= count && found.at(-1);
    }, {within});
  }

  // What became of it; with its events if that isn't `type`.
  async untilOver(task, {within = 30_000, type = 'agent.letta.task.completed'} = {}) {
    let events = [];
    try {
      await until('over', async () => {
        events = await this.events(task);
        return events.some((event) => OVER.includes(event.type));
      }, {within, every: 100});
    } catch {
      const model = (await this.letta.log('scripted-model')).split('\n').slice(-5).join('\n');
      assert.fail(`task ${task.id} is not over after ${within} ms:\n${describe(events)}\n${model}`);
    }
    const end = events.find((event) => OVER.includes(event.type));
    assert.equal(end.type, type, describe(events));
    return end;
  }

  // Lines of `effects`, in the task's directory.
  async effects({id}) {
    try {
      return (await readFile(path.join(this.workspace, id, 'effects'), 'utf8')).split('\n').filter(Boolean);
    } catch (error) {
      if (error.code === 'ENOENT') return [];
      throw error;
    }
  }

  status({id}) {
    return this.database.value('SELECT status FROM letta_tasks WHERE task_id = $1', id);
  }

  async end() {
    await this.publisher?.close();
    await this.letta?.end();
    await this.set?.end();
  }
}

export const describe = (events) => events.map(({type, event_id, parents, payload}) =>
  `${type} ${event_id} <- ${parents} ${JSON.stringify(payload).slice(-400)}`).join('\n');
