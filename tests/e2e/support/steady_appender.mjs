// A service that goes on appending through every fault: each writer has an aggregate of its own, expects
// its version, and after a failure tries again with the same event, wherever a manager is to be had.

import {randomUUID} from 'node:crypto';
import {pause} from './wait.mjs';

// What a client may meet while servers fail, and answers with another try.
const TRY_AGAIN = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'CANCELLED']);
const CALL_MS = 3000;

export class SteadyAppender {
  // `addresses()` tells where managers are now; `client` has discovered one of them.
  constructor(client, addresses, {writers = 4, pauseMs = 20} = {}) {
    this.client = client;
    this.addresses = addresses;
    this.pauseMs = pauseMs;
    this.aggregates = Array.from({length: writers}, () => ({name: `task/${randomUUID()}`, version: 0}));
  }

  positions = new Map(); // id: position it was answered with
  retries = 0;
  longestMs = 0; // from the first try of an event to its answer
  errors = []; // answers that should not have been

  start() {
    this.#running = true;
    this.#done = Promise.all(this.aggregates.map((aggregate) => this.#write(aggregate)));
    return this;
  }

  async finish() {
    this.#running = false;
    await this.#done;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #running = false;
  #done;
  #clients = new Map();
  #turn = 0;

  async #write(aggregate) {
    while (this.#running) {
      const id = randomUUID();
      const request = {
        event: {event_id: id, event_type: 'task.step', payload: {text: `{"step":${aggregate.version}}`},
          timestamp: {seconds: Math.floor(Date.now() / 1000), nanos: 0}},
        aggregate: aggregate.name,
        expected_version: aggregate.version,
      };
      const began = Date.now();
      const answer = await this.#append(request);
      if (!answer) return;
      this.longestMs = Math.max(this.longestMs, Date.now() - began);
      this.positions.set(id, Number(answer.position));
      ++aggregate.version;
      if (Number(answer.aggregate_version) !== aggregate.version) {
        this.errors.push(`${aggregate.name} has version ${answer.aggregate_version}, not ${aggregate.version}`);
      }
      await pause(this.pauseMs);
    }
  }

  // Until it is answered; null when the answer is one that no fault explains.
  async #append(request) {
    for (;;) {
      try {
        return await this.#next().call('AppendEvent', request, {deadline: CALL_MS});
      } catch (error) {
        if (!TRY_AGAIN.has(error.code)) {
          this.errors.push(`${error.code} ${error.reason}: ${error.message}`);
          return null;
        }
        ++this.retries;
        await pause(50);
      }
    }
  }

  #next() {
    const addresses = this.addresses();
    const address = addresses[this.#turn++ % addresses.length] ?? this.client.address;
    if (!this.#clients.has(address)) this.#clients.set(address, this.client.at(address));
    return this.#clients.get(address);
  }
}
