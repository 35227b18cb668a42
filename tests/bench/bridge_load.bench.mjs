// 100 workflows at once with 3 sessions each, all of them in the middle of a turn at the same time: the time from the
// first hand-off until all tasks are completed, and the most memory that the bridge holds. The App Server is a stub
// (support/stub_app_server.mjs): the real one would be what is measured.

import {randomUUID} from 'node:crypto';
import {until} from '../e2e/support/wait.mjs';
import {BenchBridge} from './support/letta_bridge.mjs';
import {memoryOf} from './support/memory.mjs';
import {Row} from './support/report.mjs';
import {StubAppServer} from './support/stub_app_server.mjs';

const SESSIONS = 3;

export async function bench(run) {
  const workflows = run.size(100, 2);
  const tasks = workflows * SESSIONS;
  const what = `${workflows} workflows at once with ${SESSIONS} sessions each, stub of Letta`;
  const rows = {
    seconds: new Row({what: `${what}: all completed`, unit: 's'}),
    memory: new Row({what: `${what}: letta-bridge, peak`, unit: 'MB', must: {most: 150, of: 'ours'}}),
  };
  await run.repeat(async (i) => {
    const stub = await StubAppServer.start(tasks);
    const bridge = await BenchBridge.start(run, await run.database(`crowded_${i}`), stub,
      {GOD33_LETTA_MAX_SESSIONS: String(tasks)});
    // Each of a project of its own: agents are limited by project and type.
    const ids = Array.from({length: workflows}, () => randomUUID());
    await Promise.all(ids.map((id, n) =>
      bridge.publish('bmad.workflow.started', {workflow_id: id, project_name: `project-${n}`, phase: 'analysis'})));
    await until('the workflows are stored',
      async () => (await bridge.value('SELECT count(*) FROM workflow_projects')) === workflows);
    const began = performance.now();
    await Promise.all(ids.flatMap((workflow) => Array.from({length: SESSIONS}, () => bridge.handOver({workflow}))));
    await until('all tasks are over', async () => (await bridge.value(
      "SELECT count(*) FROM letta_tasks WHERE status NOT IN ('waiting', 'active', 'recovering')")) === tasks,
    {within: 120_000, every: 20});
    rows.seconds.add((performance.now() - began) / 1000);
    rows.memory.add(memoryOf(bridge.service, 'VmHWM'));
    const ends = await bridge.rows('SELECT status, count(*) FROM letta_tasks GROUP BY status');
    const sessions = await bridge.value('SELECT count(*) FROM letta_sessions');
    if (ends.length !== 1 || ends[0].status !== 'completed' || sessions !== tasks) {
      throw new Error(`${sessions} sessions, ${JSON.stringify(ends)} instead of ${tasks} completed`);
    }
    await bridge.stop();
    await stub.end();
    return `${rows.seconds.ours.at(-1).toFixed(1)} s, ${rows.memory.ours.at(-1).toFixed(0)} MB`;
  });
  return Object.values(rows);
}
