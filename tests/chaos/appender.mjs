// Services that append through every fault: alone and in bulk, by gRPC and by REST, each with an aggregate and the
// version it expects, again under the same id until there is an answer.

import {randomUUID} from 'node:crypto';
import {canonical} from '../e2e/support/events.mjs';
import {pause} from '../e2e/support/wait.mjs';

const CALL_MS = 4000;
const RETRY_MS = 100;
const MOST_IN_BULK = 30;
const MOST_ERRORS = 10; // that are kept

// What a client may meet while servers fail, and answers with another try. INTERNAL and UNKNOWN: a connection that
// breaks in the middle of a frame.
const TRY_AGAIN = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'CANCELLED', 'INTERNAL', 'UNKNOWN',
  408, 429, 499, 500, 502, 503, 504]);

// An aggregate that one or several write to.
export class Aggregate {
  name = `task/${randomUUID()}`;
  version = 0;
}

export class Appender {
  // `transport`: see below. `options`: {aggregate, bulk, contested, pauseMs, onStored}. `bulk`: whether it appends several at once. `contested`: whether others write to its
  // aggregate, so that it may be refused. `onStored(event)` hears of what was stored.
  constructor(history, random, transport, options) {
    Object.assign(this, {aggregate: new Aggregate(), bulk: false, contested: false, history, random, transport, ...options});
  }

  answered = 0; // events
  retries = 0;
  errors = []; // answers that no fault explains

  start() {
    this.#running = true;
    this.#done = this.#run();
    return this;
  }

  // Ends when the request under way is answered.
  async finish() {
    this.#running = false;
    await this.#done;
  }

  // What is still under way is not waited for, and its outcome not told.
  abandon() {
    this.#running = false;
    this.#abandoned = true;
  }

  #running = false;
  #abandoned = false;
  #done;
  #last = [];

  async #run() {
    while (this.#running) {
      const events = this.#make();
      const expects = this.aggregate.version;
      const answer = await this.#append(events, {aggregate: this.aggregate.name, expects});
      if (answer) this.#take(events, answer);
      await pause(this.pauseMs * (0.5 + this.random.next()));
    }
  }

  // Each but the first is caused by the one before.
  #make() {
    const events = [];
    for (let n = this.bulk ? this.random.between(2, MOST_IN_BULK) : 1; n > 0; --n) {
      const causes = events.length > 0 ? [events.at(-1)] : this.#last;
      events.push(canonical({event_type: 'task.step', timestamp: new Date().toISOString(),
        correlation_ids: causes.map((event) => event.event_id),
        payload: {step: this.aggregate.version + events.length, text: 'x'.repeat(this.random.between(0, 600))}}));
    }
    this.#last = [events.at(-1)];
    return events;
  }

  // Until it is answered; null when it was refused.
  async #append(events, place) {
    while (!this.#abandoned) {
      this.history.attempted(this.bulk ? 'bulk' : 'append', events, place);
      try {
        const results = await this.transport.append(events, place, this.bulk);
        return this.#abandoned ? null : results;
      } catch (error) {
        if (this.#abandoned) return null;
        const unknown = TRY_AGAIN.has(error.code);
        for (const event of events) {
          this.history[unknown ? 'unknown' : 'refused'](event.event_id, error.reason ?? String(error.code));
        }
        if (!unknown) {
          this.#refused(error);
          return null;
        }
        ++this.retries;
        await pause(RETRY_MS);
      }
    }
    return null;
  }

  #take(events, results) {
    for (const [n, {position, aggregate_version: version}] of results.entries()) {
      this.history.confirmed(events[n].event_id, {position});
      this.aggregate.version = Math.max(this.aggregate.version, Number(version));
    }
    this.answered += events.length;
    this.onStored(events[0]);
  }

  // Where others write, somebody else was faster; the version that is now there is in the message's metadata.
  #refused(error) {
    if (this.contested && error.reason === 'VERSION_CONFLICT') return;
    if (this.errors.length >= MOST_ERRORS) return;
    this.errors.push(`${this.aggregate.name}: ${error.code} ${error.reason}: ${error.message}`);
  }
}

// {append(events, {aggregate, expects}, bulk)}: resolves to [{position, aggregate_version}], or rejects with an error
// whose `code` is gRPC's or HTTP's.
export class GrpcTransport {
  // `client` has discovered a manager; `addresses()`: where managers are.
  constructor(client, addresses) {
    this.#client = client;
    this.#addresses = addresses;
  }

  async append(events, {aggregate, expects}, bulk) {
    const request = {aggregate, expected_version: expects};
    const messages = events.map((event) =>
      ({...event, timestamp: timestampOf(event), payload: {text: JSON.stringify(event.payload)}}));
    const call = (method, fields) => this.#next().call(method, {...request, ...fields}, {deadline: CALL_MS});
    return bulk ? (await call('AppendEvents', {events: messages})).results : [await call('AppendEvent', {event: messages[0]})];
  }

  close() {
    for (const client of this.#clients.values()) client.close();
  }

  #client;
  #addresses;
  #clients = new Map();
  #turn = 0;

  #next() {
    const addresses = this.#addresses();
    const address = addresses[this.#turn++ % addresses.length];
    if (!this.#clients.has(address)) this.#clients.set(address, this.#client.at(address));
    return this.#clients.get(address);
  }
}

function timestampOf(event) {
  const ms = Date.parse(event.timestamp);
  return {seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000};
}

export class RestTransport {
  // `address`: host:port of a gateway.
  constructor(address) {
    this.#url = `http://${address}/api/v1/events`;
  }

  async append(events, {aggregate, expects}, bulk) {
    let response, answer;
    try {
      response = await fetch(`${this.#url}?${new URLSearchParams({aggregate, expected_version: expects})}`, {
        method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(bulk ? events : events[0]),
        signal: AbortSignal.timeout(CALL_MS),
      });
      answer = await response.json();
    } catch (error) {
      throw Object.assign(new Error(error.cause?.message ?? error.message), {code: 'UNAVAILABLE', reason: 'NO_ANSWER'});
    }
    if (response.status === 201 || response.status === 200) return bulk ? answer.results : [answer];
    throw Object.assign(new Error(answer.detail ?? answer.title), {code: response.status, reason: answer.reason});
  }

  close() {}

  #url;
}
