// A client of StreamEvents that goes on through every fault at its last position, as the proto says it can.

import {pause} from './wait.mjs';

export class StreamReader {
  // `clients()` tells where replicas are now. Calls `onEvent(event)` for each event, `onSubscribed(position)`
  // when a call was accepted, `onEnded(reason)` when one ended.
  constructor(clients, request, {after, onEvent = () => {}, onSubscribed = () => {}, onEnded = () => {}} = {}) {
    this.clients = clients;
    this.request = request;
    this.point = after === undefined ? {} : {after, within: 0};
    this.onEvent = onEvent;
    this.onSubscribed = onSubscribed;
    this.onEnded = onEnded;
  }

  events = []; // {id, position}
  calls = 0;
  ends = new Map(); // code and reason: how often
  errors = []; // what should not have been
  heardAt = 0; // ms since 1970 of the last frame, or of the last call's beginning

  start() {
    this.#running = true;
    this.#done = this.#run();
    return this;
  }

  // Breaks the call under way, as a client does that vanishes.
  cut() {
    this.#call?.cancel();
  }

  // Ends as soon as everything up to `position` was examined.
  async finish(position, within = 30_000) {
    const deadline = Date.now() + within;
    while (this.errors.length === 0 && !(Number(this.point.after) >= position)) {
      if (Date.now() > deadline) {
        this.errors.push(`still at ${JSON.stringify(this.point)}, not at ${position}`);
      }
      await pause(20);
    }
    this.#running = false;
    this.cut();
    await this.#done;
  }

  // At once.
  async stop() {
    this.#running = false;
    this.cut();
    await this.#done;
  }

  #running = false;
  #done;
  #call;
  #turn = 0;

  async #run() {
    while (this.#running) {
      const clients = this.clients();
      if (clients.length > 0) await this.#follow(clients[this.#turn++ % clients.length]);
      else await pause(50);
    }
  }

  #follow(client) {
    ++this.calls;
    this.heardAt = Date.now();
    return new Promise((resolve) => {
      this.#call = client.stream('StreamEvents', {...this.request, ...this.point}, {
        onFrame: (frame) => this.#take(frame),
        onEnd: async (error) => {
          const end = `${error.code} ${error.reason ?? ''}`.trim();
          this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
          this.onEnded(end);
          if (!['UNAVAILABLE', 'CANCELLED', 'RESOURCE_EXHAUSTED', 'INTERNAL'].includes(error.code)) {
            this.errors.push(`${end}: ${error.message}`);
            this.#running = false;
          }
          if (error.code !== 'CANCELLED') await pause(50);
          resolve();
        },
      });
    });
  }

  #take(frame) {
    this.heardAt = Date.now();
    if (Number(frame.position) < Number(this.point.after ?? 0)) this.errors.push('the position goes back');
    this.point = {after: frame.position, within: frame.within};
    if (frame.subscribed) this.onSubscribed(Number(frame.position));
    if (!frame.event) return;
    this.events.push({id: frame.event.event_id, position: Number(frame.event.position)});
    this.onEvent(frame.event);
  }
}
