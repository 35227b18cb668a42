// ./dev demo: a BMAD workflow as foreign software sees this system. It publishes pattern 1 of the
// architecture (planning, hand-off to Letta, checkpoints, completion, validation) on the real broker
// with a client that is not ours, waits until all of it is stored, and shows what became of it.
//
// Environment: RABBITMQ_URL, GOD33_GATEWAY_URL, GOD33_TOKEN (all in .run/env).

import amqp from 'amqplib';
import {randomUUID} from 'node:crypto';
import {hostname} from 'node:os';

const EXCHANGE = 'bloodbank.events.v1';
const STORED_WITHIN_MS = 30_000;
const REQUEST_MS = 10_000;

const required = (name) => {
  if (!process.env[name]) throw new Error(`${name} is not set: . .run/env`);
  return process.env[name];
};

// ---- The workflow

const analyst = {type: 'bmad-analyst', name: 'Business Analyst', instance_id: 'bmad-analyst-7', checkpoint_id: null};
const manager = {type: 'bmad-pm', name: 'Product Manager', instance_id: 'bmad-pm-3', checkpoint_id: null};
const architect = {type: 'bmad-architect', name: 'System Architect', instance_id: 'bmad-architect-12', checkpoint_id: null};
const reviewer = {type: 'bmad-code-reviewer', name: 'Code Reviewer', instance_id: 'bmad-code-reviewer-2', checkpoint_id: null};
const letta = (checkpoint) =>
  ({type: 'letta-python-dev', name: 'Python Developer 001', instance_id: 'letta-python-dev-001', checkpoint_id: checkpoint});

// The events in order. Each one's correlation_ids are its parents, as pattern 1 numbers them.
function workflowEvents(workflowId) {
  const sessionId = randomUUID();
  const checkpoint = (name) => `letta-checkpoint-${name}-${sessionId.slice(0, 8)}`;
  const started = Date.now() - 3 * 3600_000;
  const events = [];

  const add = (minute, type, app, agent, parents, payload) => {
    const event = {
      event_id: randomUUID(),
      event_type: type,
      timestamp: new Date(started + minute * 60_000).toISOString(),
      version: '1.0.0',
      source: {host: hostname(), type: 'agent', app, meta: {}},
      correlation_ids: parents.map((parent) => parent.event_id),
      agent_context: agent,
      payload,
    };
    events.push(event);
    return event;
  };
  const bmad = (minute, type, agent, parents, payload) =>
    add(minute, type, 'bmad-orchestrator', agent, parents, {workflow_id: workflowId, ...payload});
  const runtime = (minute, type, checkpointId, parents, payload) =>
    add(minute, type, 'letta-runtime', letta(checkpointId), parents, payload);

  const workflow = bmad(0, 'bmad.workflow.started', analyst, [],
    {project_name: 'user-authentication', phase: 'analysis'});
  const analysis = bmad(25, 'bmad.workflow.phase.completed', analyst, [workflow],
    {from_agent: 'bmad-analyst', phase: 'analysis', next_phase: 'planning'});
  const planning = bmad(50, 'bmad.workflow.phase.completed', manager, [analysis],
    {from_agent: 'bmad-pm', phase: 'planning', next_phase: 'solutioning'});
  const solutioning = bmad(80, 'bmad.workflow.phase.completed', architect, [analysis, planning],
    {from_agent: 'bmad-architect', phase: 'solutioning'});

  const handoff = bmad(82, 'bmad.workflow.handoff.requested', architect, [solutioning], {
    from_agent: 'bmad-architect',
    to_agent: 'letta-python-dev',
    task_type: 'implement_feature',
    task_description: 'Implement user authentication feature',
    context: {
      requirements: {stories: ['AUTH-1', 'AUTH-2'], acceptance: 'Login, refresh and logout work; failures are audited'},
      architecture: {tokens: 'JWT with refresh tokens', storage: 'PostgreSQL'},
      file_references: ['src/auth/module.py', 'tests/test_auth.py'],
      constraints: {coverage_pct: 85, python: '>=3.11'},
    },
    deadline: new Date(started + 4 * 24 * 3600_000).toISOString(),
    priority: 'high',
  });
  const accepted = runtime(84, 'agent.handoff.accepted', checkpoint('initial'), [handoff], {
    workflow_id: workflowId,
    agent_type: 'letta-python-dev',
    session_id: sessionId,
    accepted_from: 'bmad-architect',
    checkpoint_id: checkpoint('initial'),
  });

  const work = [
    ['1', 'progress', 'Token issue and verification done', 'Refresh tokens', 'Revocation list', 15_000, 600],
    ['2', 'progress', 'Completed auth module implementation', 'Writing unit tests', 'Integration tests', 45_000, 1200],
    ['3', 'milestone', 'Tests pass, documentation written', 'Final checks', 'Hand back for review', 61_000, 1860],
  ];
  let last;
  work.forEach(([number, kind, summary, focus, next, tokens, seconds], index) => {
    last = runtime(95 + 10 * index, 'agent.letta.checkpoint.saved', checkpoint(number), [accepted], {
      session_id: sessionId,
      checkpoint_id: checkpoint(number),
      agent_instance_id: 'letta-python-dev-001',
      checkpoint_type: kind,
      summary,
      context_snapshot: {
        files_modified: ['src/auth/module.py', 'tests/test_auth.py', 'docs/auth.md'].slice(0, index + 1),
        current_focus: focus,
        next_steps: next,
      },
      metrics: {tokens_used: tokens, duration_seconds: seconds},
    });
  });

  const completed = runtime(118, 'agent.letta.task.completed', checkpoint('final'), [accepted, last], {
    session_id: sessionId,
    workflow_id: workflowId,
    task_id: randomUUID(),
    agent_instance_id: 'letta-python-dev-001',
    final_checkpoint_id: checkpoint('final'),
    artifacts: [
      {type: 'code', path: 'src/auth/module.py', status: 'modified'},
      {type: 'test', path: 'tests/test_auth.py', status: 'created'},
      {type: 'docs', path: 'docs/auth.md', status: 'created'},
    ],
    validation: {tests_passed: true, lint_passed: true, coverage_pct: 87.5},
    next_action: 'qa_review',
    summary: 'User authentication feature implemented with tests',
  });
  const validation = bmad(120, 'bmad.workflow.validation.requested', reviewer, [completed],
    {from_agent: 'bmad-code-reviewer', target_agent: 'letta-python-dev'});
  bmad(150, 'bmad.workflow.completed', reviewer, [validation],
    {summary: 'User authentication delivered and validated'});
  return events;
}

// ---- The bus

// Published means: routed to at least one queue and confirmed by the broker.
async function publish(events) {
  const connection = await amqp.connect(required('RABBITMQ_URL'), {timeout: REQUEST_MS});
  try {
    const channel = await connection.createConfirmChannel();
    const broken = new Promise((_, reject) => channel.on('error', reject));
    const returned = [];
    channel.on('return', (message) => returned.push(message.fields.routingKey));
    for (const event of events) {
      channel.publish(EXCHANGE, event.event_type, Buffer.from(JSON.stringify(event)), {
        mandatory: true,
        persistent: true,
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        messageId: event.event_id,
      });
    }
    await Promise.race([channel.waitForConfirms(), broken]);
    if (returned.length > 0) {
      throw new Error(`no queue takes ${returned.join(', ')}: is event-store-manager running?`);
    }
  } finally {
    await connection.close().catch(() => {});
  }
}

// ---- The gateway

// After a crash the gateway finds a service within a second, and the projection goes on when the lease of
// its dead predecessor ends: until then the answer is 503.
async function get(path) {
  const deadline = Date.now() + STORED_WITHIN_MS;
  for (;;) {
    const response = await fetch(required('GOD33_GATEWAY_URL') + path, {
      headers: {authorization: `Bearer ${required('GOD33_TOKEN')}`},
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const body = await response.text();
    if (response.ok) return JSON.parse(body);
    if (response.status !== 503 || Date.now() > deadline) {
      throw new Error(`GET ${path} answers ${response.status}: ${body}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function waitUntilStored(workflowId, events) {
  const path = `/api/v1/events?workflow_id=${workflowId}&limit=1000`;
  const deadline = Date.now() + STORED_WITHIN_MS;
  for (;;) {
    const stored = (await get(path)).events;
    const ids = new Set(stored.map((event) => event.event_id));
    const missing = events.filter((event) => !ids.has(event.event_id));
    if (missing.length === 0) return stored;
    if (Date.now() > deadline) {
      throw new Error(`after ${STORED_WITHIN_MS / 1000} s, GET ${path} still lacks ` +
        `${missing.length} of ${events.length} published events:\n` +
        missing.map((event) => `  ${event.event_id}  ${event.event_type}`).join('\n') +
        '\n./dev status, ./dev logs event-store-manager');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// ---- What is shown

function showWorkflow(workflow) {
  const show = (value) => (value === null || value === undefined ? '-' : String(value));
  console.log('Its state, folded from them:\n');
  for (const field of ['workflow_id', 'project_name', 'current_phase', 'current_agent', 'started_at', 'completed_at']) {
    console.log(`  ${field.padEnd(15)} ${show(workflow[field])}`);
  }
  const phases = (workflow.phase_history ?? []).map((phase) => phase.phase + (phase.completed_at ? ' (done)' : ''));
  console.log(`  ${'phases'.padEnd(15)} ${phases.join(', ') || '-'}`);
  const handoffs = (workflow.agent_handoffs ?? []).map((handoff) => `${handoff.from} to ${handoff.to}`);
  console.log(`  ${'hand-offs'.padEnd(15)} ${handoffs.join(', ') || '-'}\n`);
}

function showEvents(stored) {
  const row = (position, id, type, agent, parents) =>
    console.log(`  ${String(position).padStart(8)}  ${id.padEnd(36)}  ${type.padEnd(34)}  ${agent.padEnd(18)}  ${parents}`);
  row('position', 'event_id', 'event_type', 'agent', 'parents');
  for (const event of stored) {
    row(event.position, event.event_id, event.event_type, event.agent_context?.type ?? '-', event.correlation_ids.length);
  }
  console.log();
}

function showWaysOn(workflowId) {
  const envFile = process.env.GOD33_ENV_FILE ?? '.run/env';
  const curl = 'curl -sH "Authorization: Bearer $GOD33_TOKEN"';
  console.log(`To look further:

  . ${envFile}
  ${curl} "$GOD33_GATEWAY_URL/api/v1/events?workflow_id=${workflowId}" | jq
  ${curl} "$GOD33_GATEWAY_URL/api/v1/events?event_type=agent.letta.*&limit=5" | jq
  ${curl} "$GOD33_GATEWAY_URL/api/v1/workflows/${workflowId}" | jq
  "$GOD33_BIN"/god33 workflow get ${workflowId}
  "$GOD33_BIN"/god33 event list --workflow ${workflowId}`);
}

async function main() {
  const workflowId = randomUUID();
  const events = workflowEvents(workflowId);
  const began = Date.now();
  await publish(events);
  console.log(`Published ${events.length} events of workflow ${workflowId} on ${EXCHANGE}.`);
  const stored = await waitUntilStored(workflowId, events);
  console.log(`All of them are stored, ${Date.now() - began} ms after the first was sent.\n`);
  showEvents(stored);
  const newest = Math.max(...stored.map((event) => event.position));
  showWorkflow(await get(`/api/v1/workflows/${workflowId}?min_position=${newest}`));
  showWaysOn(workflowId);
}

main().catch((error) => {
  console.error(`demo: ${error.cause ? `${error.message}: ${error.cause.message}` : error.message}`);
  process.exit(1);
});
