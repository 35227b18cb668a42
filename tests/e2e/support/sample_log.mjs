// A log in which every filter finds something, and what a plain scan of it would find.

import {randomUUID} from 'node:crypto';
import {canonical} from './events.mjs';

const TYPES = ['agent.letta.checkpoint.saved', 'agent.letta.task.completed', 'agent.heartbeat',
  'agent.collaboration.started', 'director.x', 'a.b.c.d', 'llm.prompt'];
export const PATTERNS = ['agent.*', 'agent.letta.*', '*.b.c.d', 'director.x', 'agent.*.*', 'agent.*.task.completed',
  '*', 'none.such'];
const FIRST = Date.UTC(2026, 0, 1);
const SPAN = 10 * 24 * 3600_000;

// Numbers that look random and are the same in each run (a linear congruential generator).
export function generator(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export class SampleLog {
  constructor(count, seed = 7) {
    const random = generator(seed);
    const some = (list) => list[random(list.length)];
    const ids = () => Array.from({length: 4}, () => randomUUID());
    Object.assign(this, {workflows: ids(), collaborations: ids(), sessions: ids(), agents: ['a-0', 'a-1', 'a-2']});
    this.events = [];
    for (let i = 0; i < count; ++i) {
      const payload = {i};
      if (random(3) === 0) payload.workflow_id = some(this.workflows);
      if (random(4) === 0) payload.collaboration_id = some(this.collaborations);
      if (random(3) === 0) payload.session_id = some(this.sessions);
      const agent = some(this.agents);
      const context = [{type: 't', instance_id: agent}, {type: agent}, null][random(3)];
      if (context === null) payload[some(['agent_instance_id', 'agent_id', 'from_agent'])] = agent;
      const parents = i > 0 && random(2) === 0 ? [some(this.events)] : [];
      if (parents.length > 0 && random(3) === 0) parents.push(some(this.events));
      this.events.push(canonical({
        event_type: some(TYPES),
        timestamp: new Date(FIRST + random(SPAN)).toISOString(),
        correlation_ids: [...new Set(parents.map((parent) => parent.event_id))],
        agent_context: context,
        payload,
      }));
    }
    this.#byId = new Map(this.events.map((event) => [event.event_id, event]));
    // Some children come before their parents.
    this.published = [...this.events];
    for (let i = 0; i < count / 10; ++i) {
      const [a, b] = [random(count), random(count)];
      [this.published[a], this.published[b]] = [this.published[b], this.published[a]];
    }
  }

  // Ids of the events that match all filters, in the order they were published.
  matching(filter) {
    return this.published.filter((event) => this.#matches(event, filter)).map((event) => event.event_id);
  }

  // A combination of filters, as query parameters by name; event_type is a list.
  randomFilter(random) {
    const some = (list) => list[random(list.length)];
    const time = () => new Date(FIRST + random(SPAN)).toISOString();
    const filter = {};
    if (random(3) === 0) filter.workflow_id = some(this.workflows);
    if (random(4) === 0) filter.collaboration_id = some(this.collaborations);
    if (random(4) === 0) filter.session_id = some(this.sessions);
    if (random(4) === 0) filter.agent_id = some(this.agents);
    if (random(8) === 0) filter.correlation_id = some(this.events).event_id;
    while (random(3) === 0) filter.event_type = [...(filter.event_type ?? []), some(PATTERNS)];
    if (random(4) === 0) filter[some(['since', 'start_time'])] = time();
    if (random(4) === 0) filter.end_time = time();
    return filter;
  }

  #byId;

  #matches(event, filter) {
    const time = Date.parse(event.timestamp);
    const since = filter.since ?? filter.start_time;
    return (!filter.workflow_id || this.#workflowsOf(event).has(filter.workflow_id)) &&
      (!filter.collaboration_id || this.#collaborationsOf(event).has(filter.collaboration_id)) &&
      (!filter.session_id || event.payload.session_id === filter.session_id) &&
      (!filter.agent_id || agentOf(event) === filter.agent_id) &&
      (!filter.correlation_id || event.correlation_ids.includes(filter.correlation_id)) &&
      (!filter.event_type || filter.event_type.some((pattern) => typeMatches(pattern, event.event_type))) &&
      (!since || time >= Date.parse(since)) &&
      (!filter.end_time || time < Date.parse(filter.end_time));
  }

  #parentsOf(event) {
    return event.correlation_ids.map((id) => this.#byId.get(id));
  }

  // Its own, else its parents'.
  #workflowsOf(event) {
    if (event.payload.workflow_id) return new Set([event.payload.workflow_id]);
    return new Set(this.#parentsOf(event).flatMap((parent) => [...this.#workflowsOf(parent)]));
  }

  // The one it names, and those whose start it descends from.
  #collaborationsOf(event) {
    const started = (each) => [
      ...(each.event_type === 'agent.collaboration.started' ? [each.payload.collaboration_id] : []),
      ...this.#parentsOf(each).flatMap(started)];
    return new Set([event.payload.collaboration_id, ...started(event)]);
  }
}

function agentOf({agent_context: context, payload}) {
  return context?.instance_id || payload.agent_instance_id || payload.agent_id || context?.type || payload.from_agent;
}

// '*' is one word, a last '*' one or more.
function typeMatches(pattern, type) {
  const words = pattern.split('.').map((word) => (word === '*' ? '[^.]+' : word));
  if (words.at(-1) === '[^.]+') words[words.length - 1] = '.+';
  return new RegExp(`^${words.join('\\.')}$`).test(type);
}
