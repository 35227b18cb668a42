// The BMAD side of the workflow: what its agents publish.

import {randomUUID} from 'node:crypto';
import {hostname} from 'node:os';

const agent = (type, name, instance) => ({type, name, instance_id: instance, checkpoint_id: null});

const AGENTS = {
  analyst: agent('bmad-analyst', 'Business Analyst', 'bmad-analyst-7'),
  manager: agent('bmad-pm', 'Product Manager', 'bmad-pm-3'),
  architect: agent('bmad-architect', 'System Architect', 'bmad-architect-12'),
  reviewer: agent('bmad-code-reviewer', 'Code Reviewer', 'bmad-code-reviewer-2'),
};

// Each method publishes one event and returns it; `parents` are the events that caused it.
export class Workflow {
  constructor(bus) {
    this.id = randomUUID();
    this.#bus = bus;
  }

  start() {
    return this.#publish('bmad.workflow.started', AGENTS.analyst, [],
      {project_name: 'user-authentication', phase: 'analysis'});
  }

  phase(who, phase, next, parents) {
    return this.#publish('bmad.workflow.phase.completed', AGENTS[who], parents,
      {from_agent: AGENTS[who].type, phase, next_phase: next});
  }

  // `task`: what is done by whom, as tasks.mjs has it.
  handOver(task, parents) {
    const deadline = new Date(Date.now() + 4 * 24 * 3600_000).toISOString();
    return this.#publish('bmad.workflow.handoff.requested', AGENTS.architect, parents,
      {from_agent: AGENTS.architect.type, to_agent: 'letta-python-dev', deadline, ...task});
  }

  validate(parents) {
    return this.#publish('bmad.workflow.validation.requested', AGENTS.reviewer, parents,
      {from_agent: AGENTS.reviewer.type, target_agent: 'letta-python-dev'});
  }

  complete(parents) {
    return this.#publish('bmad.workflow.completed', AGENTS.reviewer, parents,
      {summary: 'User authentication delivered and validated'});
  }

  #bus;

  async #publish(type, agent, parents, payload) {
    const event = {
      event_id: randomUUID(),
      event_type: type,
      timestamp: new Date().toISOString(),
      version: '1.0.0',
      source: {host: hostname(), type: 'agent', app: 'bmad-orchestrator', meta: {}},
      correlation_ids: parents.map((parent) => parent.event_id),
      agent_context: agent,
      payload: {workflow_id: this.id, ...payload},
    };
    await this.#bus.publish(event);
    return event;
  }
}
