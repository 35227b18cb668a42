// A producer that goes on through every fault: it publishes at a steady rate, keeps account of what the
// broker has confirmed, and publishes again, under the same id, what was not.

import {Publisher} from './bus.mjs';
import {pause} from './wait.mjs';

const TICK_MS = 20;
const MOST_UNCONFIRMED = 2000;

export class SteadyPublisher {
  // `rate`: messages a second.
  constructor(url, traffic, rate) {
    this.url = url;
    this.traffic = traffic;
    this.rate = rate;
  }

  confirmed = new Set(); // ids and bodies of poison
  published = 0; // with repetitions
  reconnects = 0;

  start() {
    this.#running = true;
    this.#done = this.#run();
    return this;
  }

  // Ends when everything that was ever published is confirmed.
  async finish() {
    this.#running = false;
    await this.#done;
  }

  // A message is about to be published, once more or for the first time. For who keeps another account.
  onPublish({id, body}) {
    if (id === null) this.traffic.poison.set(body, this.traffic.poison.get(body) + 1);
  }

  // What became of that: `error` is null if the broker has confirmed it.
  onOutcome({id, body}, error) {
    if (error === null) this.confirmed.add(id ?? body);
  }

  #running = false;
  #done;
  #waiting = []; // to be published again
  #unconfirmed = 0;

  async #run() {
    while (this.#running || this.#waiting.length > 0 || this.#unconfirmed > 0) {
      let publisher;
      try {
        publisher = await Publisher.connect(this.url);
        await this.#publishOn(publisher);
      } catch {
        ++this.reconnects;
        await pause(200);
      }
      await publisher?.close();
    }
  }

  // Until the connection breaks or all is done.
  async #publishOn(publisher) {
    let broken = null;
    publisher.connection.on('close', () => { broken ??= new Error('closed'); });
    let due = Date.now();
    while (this.#running || this.#waiting.length > 0 || this.#unconfirmed > 0) {
      if (broken) throw broken;
      for (; due <= Date.now() && this.#unconfirmed < MOST_UNCONFIRMED; due += 1000 / this.rate) {
        const message = this.#waiting.shift() ?? (this.#running ? this.traffic.next() : null);
        if (message === null) break;
        this.#publish(publisher, message);
        if (message.again) this.#publish(publisher, {...message, again: false});
      }
      due = Math.max(due, Date.now() - 1000); // what a pause has cost is not made up for at once
      await pause(TICK_MS);
    }
  }

  #publish(publisher, message) {
    const {id, body, routingKey} = message;
    ++this.published;
    ++this.#unconfirmed;
    this.onPublish(message);
    publisher.publish(routingKey, body, {messageId: id ?? undefined}).then(
      () => this.onOutcome(message, null),
      (error) => {
        this.#waiting.push(message);
        this.onOutcome(message, error);
      },
    ).finally(() => --this.#unconfirmed);
  }
}
