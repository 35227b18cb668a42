// A workflow as agents live it, event by event, each with its causes: what projections fold.

import {randomUUID} from 'node:crypto';
import {canonical} from '../e2e/support/events.mjs';

const CHECKPOINTS = 6;
const LYING_CLOCK = 0.02; // of the events have a time that is wrong by up to a year
const YEAR_MS = 365 * 24 * 3600_000;

// Yields events in the order in which they happen.
export function* story(random) {
  const workflow = randomUUID();
  const session = randomUUID();
  const event = (type, payload, ...causes) => canonical({event_type: type, timestamp: timeOf(random),
    correlation_ids: causes.map((cause) => cause.event_id), payload});
  const tell = (type, payload, ...causes) => event(type, {workflow_id: workflow, ...payload}, ...causes);

  const started = tell('bmad.workflow.started', {project_name: `project-${random.between(1, 5)}`, phase: 'analysis'});
  yield started;
  const phase = tell('bmad.workflow.phase.completed', {phase: 'analysis', next_phase: 'planning'}, started);
  yield phase;
  const handoff = tell('bmad.workflow.handoff.requested',
    {from_agent: 'bmad-architect', to_agent: 'letta-python-dev', task_description: 'Implement the login page'}, phase);
  yield handoff;
  const accepted = tell('agent.handoff.accepted',
    {agent_type: 'letta', session_id: session, accepted_from: 'bmad-architect'}, handoff);
  yield accepted;
  let last = accepted;
  for (let n = 1; n <= CHECKPOINTS; ++n) {
    // It belongs to the workflow by its cause only.
    const tool = event('agent.tool.invoked', {n, text: 'x'.repeat(random.between(0, 600))}, last);
    yield tool;
    last = tell('agent.letta.checkpoint.saved', {session_id: session, checkpoint_id: `checkpoint-${n}`,
      agent_instance_id: 'letta-python-dev-1', summary: `Step ${n} is done`}, accepted, tool);
    yield last;
  }
  const done = tell('agent.letta.task.completed', {session_id: session, task_id: randomUUID(),
    agent_instance_id: 'letta-python-dev-1', summary: 'It is built and tested'}, accepted, last);
  yield done;
  yield tell('bmad.workflow.completed', {summary: 'It is done'}, started, done);
}

function timeOf(random) {
  const error = random.chance(LYING_CLOCK) ? (random.next() * 2 - 1) * YEAR_MS : 0;
  return new Date(Date.now() + error).toISOString();
}
