// ./dev demo: a BMAD workflow as foreign software sees this system, with three hand-offs to an agent of Letta's.
// It publishes on the real broker with a client that is not ours, and prints what the log says as it comes:
//
//   pattern 1   planning, hand-off, progress, a file, completion; and at the end validation
//   pattern 3   a hand-off in whose middle the Letta App Server is killed: it goes on from its checkpoint
//   pattern 4   a hand-off that asks a human, who answers on the command line
//
// Pattern 3 needs a server that may be killed and a model whose turn lasts until then: the set's own.
// Every run is a workflow of its own. Environment: all that is in .run/env, and what run_demo in ./dev adds.

import path from 'node:path';
import {Bus} from './demo/bus.mjs';
import {answer, causes} from './demo/command_line.mjs';
import {Failure, required} from './demo/environment.mjs';
import {get, Log} from './demo/log.mjs';
import {LettaServer} from './demo/letta_server.mjs';
import {question, recovery, work} from './demo/tasks.mjs';
import {Workflow} from './demo/workflow.mjs';

// What the agents run on: `scripted`, or `real` (another model), or `foreign` (a server that is not of this set).
const letta = required('DEMO_LETTA');
const scripted = letta === 'scripted';

// What one step may take. A real model thinks.
const WITHIN_MS = scripted ? 20_000 : 300_000;

const title = (text) => console.log(`\n${text}`);
const note = (text) => console.log(`           ${text}`);

async function plan(workflow, log) {
  title(`A BMAD workflow is planned: ${workflow.id}`);
  const started = await workflow.start();
  const analysis = await workflow.phase('analyst', 'analysis', 'planning', [started]);
  const planning = await workflow.phase('manager', 'planning', 'solutioning', [analysis]);
  const planned = await workflow.phase('architect', 'solutioning', 'implementation', [analysis, planning]);
  await log.stored(planned);
  return {started, planned};
}

async function implement(workflow, log, planned) {
  title('Pattern 1: a hand-off to Letta');
  const handoff = await workflow.handOver(work(scripted), [planned]);
  const completed = await log.until(handoff, 'agent.letta.task.completed', WITHIN_MS);
  if (letta !== 'foreign') note(`its files: ${path.join(required('GOD33_RUN_DIR'), 'workspace', handoff.event_id)}`);
  return completed;
}

async function recover(workflow, log, planned) {
  if (!scripted) {
    title('Pattern 3, a crash of Letta in the middle of a task, is left out:');
    note(letta === 'real' ? '.env names another model than the scripted one' :
      'LETTA_SERVER_URL in .env names a server that is not of this set');
    return undefined;
  }
  title('Pattern 3: Letta is killed in the middle of a task');
  const handoff = await workflow.handOver(recovery(), [planned]);
  await log.until(handoff, 'agent.letta.context.updated', WITHIN_MS);
  const server = new LettaServer(required('GOD33_RUN_DIR'));
  note(`kill -9 ${await server.kill()}, the Letta App Server`);
  await server.start();
  note('./dev start letta: it runs again');
  return log.until(handoff, 'agent.letta.task.completed', WITHIN_MS);
}

async function ask(workflow, log, planned) {
  title('Pattern 4: the agent asks, a human answers');
  const handoff = await workflow.handOver(question(scripted), [planned]);
  const paused = await log.until(handoff, ['agent.letta.session.paused', 'agent.letta.task.completed'], WITHIN_MS);
  if (paused.event_type === 'agent.letta.task.completed') {
    note('the model has asked nothing');
    return paused;
  }
  note(await answer(log.find(handoff, 'agent.feedback.requested')));
  return log.until(handoff, 'agent.letta.task.completed', WITHIN_MS);
}

async function validate(workflow, log, completed) {
  title('Validation');
  const validation = await workflow.validate(completed);
  await log.stored(await workflow.complete([validation]));
}

function showWorkflow(workflow) {
  const show = (value) => (value === null || value === undefined ? '-' : String(value));
  title('Its state, folded from its events:');
  for (const field of ['workflow_id', 'project_name', 'current_phase', 'current_agent', 'started_at', 'completed_at']) {
    console.log(`  ${field.padEnd(15)} ${show(workflow[field])}`);
  }
  const phases = (workflow.phase_history ?? []).map((phase) => phase.phase + (phase.completed_at ? ' (done)' : ''));
  console.log(`  ${'phases'.padEnd(15)} ${phases.join(', ') || '-'}`);
  const handoffs = (workflow.agent_handoffs ?? []).map((handoff) => `${handoff.from} to ${handoff.to}`);
  console.log(`  ${'hand-offs'.padEnd(15)} ${handoffs.join(', ') || '-'}`);
}

function showWaysOn(workflowId) {
  const curl = 'curl -sH "Authorization: Bearer $GOD33_TOKEN"';
  console.log(`\nTo look further:

  . ${required('DEMO_ENV_FILE')}
  ${curl} "$GOD33_GATEWAY_URL/api/v1/events?workflow_id=${workflowId}" | jq
  ${curl} "$GOD33_GATEWAY_URL/api/v1/events?event_type=agent.letta.*&limit=5" | jq
  "$GOD33_BIN"/god33 workflow get ${workflowId}
  "$GOD33_BIN"/god33 workflow timeline ${workflowId}`);
}

async function main() {
  const bus = await Bus.connect(required('RABBITMQ_URL'));
  try {
    const workflow = new Workflow(bus);
    const log = new Log(workflow.id);
    const {started, planned} = await plan(workflow, log);
    const completed = [];
    for (const task of [implement, recover, ask]) {
      const end = await task(workflow, log, planned);
      if (end) completed.push(end);
    }
    await validate(workflow, log, completed);
    title('What caused what:\n');
    console.log(await causes(started));
    showWorkflow(await get(`/api/v1/workflows/${workflow.id}?min_position=${log.head}`));
    console.log(`\n${log.count} events of workflow ${workflow.id} are stored, ${log.seconds()} s after the first was sent.`);
    showWaysOn(workflow.id);
  } finally {
    await bus.close();
  }
}

main().catch((error) => {
  const text = error.cause ? `${error.message}: ${error.cause.message}` : error.message;
  console.error(`\ndemo: ${text}`);
  if (error instanceof Failure && error.look) console.error(`To find out why: ${error.look}`);
  process.exit(1);
});
