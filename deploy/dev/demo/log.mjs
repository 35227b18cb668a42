// The log of one workflow, as the gateway shows it: what is new is printed as it comes, on a line of its own.

import {Failure, required} from './environment.mjs';

const REQUEST_MS = 10_000;
const AWAY_MS = 30_000;
const POLL_MS = 100;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// After a crash the gateway finds a service within a second, and the projection goes on when the lease of
// its dead predecessor ends: until then the answer is 503.
export async function get(route) {
  const deadline = Date.now() + AWAY_MS;
  for (;;) {
    const response = await fetch(required('GOD33_GATEWAY_URL') + route, {
      headers: {authorization: `Bearer ${required('GOD33_TOKEN')}`},
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const body = await response.text();
    if (response.ok) return JSON.parse(body);
    if (response.status !== 503 || Date.now() > deadline) {
      throw new Failure(`GET ${route} answers ${response.status}: ${body}`, './dev status, ./dev logs gateway');
    }
    await pause(POLL_MS);
  }
}

// What is worth saying of an event, by its type.
const DETAILS = {
  'bmad.workflow.started': ({project_name: project}) => project,
  'bmad.workflow.phase.completed': ({phase, from_agent: by}) => `${phase}, by ${by}`,
  'bmad.workflow.handoff.requested': ({to_agent: to, task_type: task}) => `to ${to}: ${task}`,
  'bmad.workflow.validation.requested': ({from_agent: by}) => `by ${by}`,
  'bmad.workflow.completed': ({summary}) => summary,
  'agent.handoff.accepted': ({agent_instance_id: instance}) => `by ${instance}`,
  'agent.handoff.rejected': ({reason, detail}) => `${reason}: ${detail}`,
  'agent.letta.context.updated': ({summary, decision_incorporated: decision}) => decision ?? summary,
  'agent.letta.checkpoint.saved': ({checkpoint_type: type}) => type,
  'agent.letta.session.paused': ({reason}) => reason,
  'agent.letta.session.failed': ({failure_reason: reason, detail}) => `${reason}: ${detail}`,
  'agent.letta.session.recovery.started': ({epoch}) => `epoch ${epoch}`,
  'agent.letta.context.restored': ({context_delta: {messages_kept: kept} = {}}) => `${kept ?? 0} messages kept`,
  'agent.letta.task.completed': ({summary}) => summary,
  'agent.letta.task.blocked': ({reason, needs}) => `${reason}: ${needs}`,
  'agent.feedback.requested': ({question, options = []}) => `${question} ${options.join(' or ')}`,
  'agent.feedback.response': ({decision}) => decision,
};

// What a task ends with that nobody wants.
const BAD_ENDS = ['agent.handoff.rejected', 'agent.letta.task.blocked'];

const BRIDGE = './dev status, ./dev logs letta-bridge, ./dev logs letta, ./dev logs scripted-model';

export class Log {
  constructor(workflowId) {
    this.#workflow = workflowId;
    this.#began = Date.now();
  }

  head = 0; // position of the newest event

  get count() {
    return this.#events.length;
  }

  seconds() {
    return ((Date.now() - this.#began) / 1000).toFixed(1);
  }

  // The newest event of a hand-off of one of these types, as far as is known here.
  find(handoff, ...types) {
    return this.#events.findLast((event) => types.includes(event.event_type) && this.#isOf(event, handoff));
  }

  // The same, as soon as it is there.
  async until(handoff, types, ms) {
    const wanted = [types].flat();
    return this.#wait(() => {
      const bad = this.find(handoff, ...BAD_ENDS);
      if (bad) throw new Failure(`the task ended with ${bad.event_type}`, BRIDGE);
      return this.find(handoff, ...wanted);
    }, ms, () => new Failure(
      `no ${wanted.join(' or ')} within ${ms / 1000} s for the hand-off ${handoff.event_id}`, BRIDGE));
  }

  // Until an event that was published is in the log.
  stored(event) {
    return this.#wait(() => this.#events.find(({event_id: id}) => id === event.event_id), AWAY_MS,
      () => new Failure(`${event.event_type} ${event.event_id} is not stored within ${AWAY_MS / 1000} s`,
        './dev status, ./dev logs event-store-manager'));
  }

  #workflow;
  #began;
  #events = []; // in the order of the log

  // Events of the bridge name their task, which is the hand-off.
  #isOf(event, handoff) {
    return event.payload.task_id === handoff.event_id || event.correlation_ids.includes(handoff.event_id);
  }

  async #wait(found, ms, failure) {
    const deadline = Date.now() + ms;
    for (;;) {
      await this.#look();
      const event = found();
      if (event) return event;
      if (Date.now() > deadline) throw failure();
      await pause(POLL_MS);
    }
  }

  async #look() {
    const {events} = await get(`/api/v1/events?workflow_id=${this.#workflow}&limit=1000`);
    const news = events.filter(({position}) => position > this.head).sort((a, b) => a.position - b.position);
    for (const event of news) {
      this.#events.push(event);
      this.head = event.position;
      const detail = String(DETAILS[event.event_type]?.(event.payload) ?? '').split('\n')[0];
      console.log(`  ${this.seconds().padStart(5)} s  ${event.event_type.padEnd(38)}${detail}`.trimEnd());
    }
  }
}
