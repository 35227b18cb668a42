// letta-bridge on a benchmark's database, and hand-offs to it.

import {randomUUID} from 'node:crypto';
import {mkdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import {Publisher} from '../../e2e/support/bus.mjs';
import {canonical} from '../../e2e/support/events.mjs';
import {until} from '../../e2e/support/wait.mjs';

const WITHIN_MS = 1_800_000;

export class BenchBridge {
  // `letta`: {url, model} of a server that speaks the App Server's protocol.
  static async start(run, database, letta, settings = {}) {
    const bridge = new BenchBridge();
    const workspace = path.join(run.set.directory, 'workspace');
    rmSync(workspace, {recursive: true, force: true});
    mkdirSync(workspace, {recursive: true});
    bridge.manager = await database.manager();
    bridge.service = await run.set.service('letta-bridge', {
      DATABASE_URL: database.writer,
      LETTA_SERVER_URL: letta.url,
      GOD33_LETTA_MODEL: letta.model,
      GOD33_LETTA_WORKSPACE: workspace,
      ...settings,
    }, `letta-bridge-${database.name}`).start();
    for (const service of [bridge.manager, bridge.service]) await service.untilHealthy();
    bridge.#publisher = await Publisher.connect(run.set.urls.RABBITMQ_URL);
    bridge.#client = new pg.Client({connectionString: database.admin});
    await bridge.#client.connect();
    await bridge.#client.query('LISTEN god33_log');
    return bridge;
  }

  // Confirmed by the broker.
  publish(type, payload) {
    const event = canonical({event_type: type, timestamp: new Date().toISOString(), payload});
    return this.#publisher.publishEvent(event).then(() => event);
  }

  // A hand-off to a Python developer of Letta's. Without a script it is done after a short turn. Its task's id.
  async handOver({workflow = randomUUID(), script} = {}) {
    const {event_id: id} = await this.publish('bmad.workflow.handoff.requested', {
      workflow_id: workflow,
      from_agent: 'bmad-architect',
      to_agent: 'letta-python-dev',
      task_description: 'Implement the user authentication module',
      context: {file_references: ['src/auth/module.py', 'tests/test_auth.py'], ...(script && {script})},
    });
    return id;
  }

  async rows(sql, ...values) {
    return (await this.#client.query(sql, values)).rows;
  }

  async value(sql, ...values) {
    return Object.values((await this.rows(sql, ...values))[0])[0];
  }

  // Until the task has left this status, which it does with an event: looked at with every commit to the log.
  async untilNot(status, task) {
    const deadline = performance.now() + WITHIN_MS;
    for (;;) {
      const committed = this.#commit(1000);
      const [row] = await this.rows('SELECT status, waits_for FROM letta_tasks WHERE task_id = $1', task);
      if (row && row.status !== status) return row.status;
      if (performance.now() > deadline) throw new Error(`the task ${task} is still ${status}: ${row?.waits_for ?? ''}`);
      await committed;
    }
  }

  // Until its agent can be taken again, too.
  async untilDone(task) {
    await this.untilNot('waiting', task);
    const status = await this.untilNot('active', task);
    if (status !== 'completed') throw new Error(`the task ${task} is ${status}`);
    await until('all agents are warm', async () =>
      (await this.value("SELECT count(*) FROM letta_agents WHERE state <> 'warm'")) === 0, {within: 30_000, every: 10});
  }

  async stop() {
    await this.#client.end();
    await this.#publisher.close();
    for (const service of [this.service, this.manager]) await service.stop();
  }

  #publisher;
  #client;

  // The next commit to the log, or `ms` later.
  #commit(ms) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#client.off('notification', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#client.on('notification', end);
    });
  }
}
