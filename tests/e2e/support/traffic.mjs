// Events without end for tests under load, and the account of them: who belongs where.

import {randomUUID} from 'node:crypto';
import {canonical} from './events.mjs';

const WORKFLOWS = 20;
const SESSIONS = 10;

export class Traffic {
  workflows = new Map(Array.from({length: WORKFLOWS}, () => [randomUUID(), 0])); // id: number of events
  sessions = new Map(Array.from({length: SESSIONS}, () => [randomUUID(), 0]));
  events = new Set(); // ids
  poison = new Map(); // body: number of times it was published

  // {id, routingKey, body, again}; id is null for poison, `again` asks for a second publication.
  next() {
    const n = ++this.#count;
    if (n % 100 === 0) return this.#poison(n);
    let event;
    if (n % 10 === 0) {
      // A member by its parent only, which may be stored later than this one.
      event = canonical({event_type: 'agent.tool.invoked', correlation_ids: [this.#last.id], payload: {n}});
      this.#join(this.workflows, this.#last.workflow);
    } else {
      const workflow = this.#pick(this.workflows);
      const session = this.#pick(this.sessions);
      event = canonical({event_type: 'agent.letta.checkpoint.saved', timestamp: new Date().toISOString(),
        payload: {n, workflow_id: workflow, session_id: session, checkpoint_id: `cp-${n}`}});
      this.#join(this.workflows, workflow);
      this.#join(this.sessions, session);
      this.#last = {id: event.event_id, workflow};
    }
    this.events.add(event.event_id);
    return {id: event.event_id, routingKey: event.event_type, body: JSON.stringify(event), again: n % 13 === 0};
  }

  #count = 0;
  #last;

  #poison(n) {
    const body = `poison ${n}`;
    this.poison.set(body, 0);
    return {id: null, routingKey: 'poison', body, again: false};
  }

  // The one with the fewest events.
  #pick(groups) {
    return [...groups].reduce((least, group) => (group[1] < least[1] ? group : least))[0];
  }

  #join(groups, id) {
    groups.set(id, groups.get(id) + 1);
  }
}
