// A durable queue of another system that is read through every fault: which messages were on the bus.

import amqp from 'amqplib';
import {EXCHANGE} from './events.mjs';
import {pause} from './wait.mjs';

const PREFETCH = 500;

export class BusWatcher {
  constructor(url, name = 'watcher') {
    this.url = url;
    this.name = name;
  }

  // An event came that the relay has brought; it is acked when this returns. For who keeps another account.
  onRelayed(id, position) {
    this.appended.set(id, (this.appended.get(id) ?? 0) + 1);
    this.relayed.push(position);
  }

  appended = new Map(); // id: how often the relay has brought it
  relayed = []; // their positions, in the order they came

  // Resolves when the queue is there.
  async start() {
    this.#running = true;
    await new Promise((resolve) => { this.#done = this.#run(resolve); });
    return this;
  }

  async stop() {
    this.#running = false;
    await this.#connection?.close().catch(() => {});
    await this.#done;
  }

  #running = false;
  #connection;
  #done;

  async #run(ready) {
    while (this.#running) {
      try {
        const {ended} = await this.#consume();
        ready();
        await ended;
      } catch {
        // The broker is away.
      }
      if (this.#running) await pause(200);
    }
  }

  // `ended` is a promise for the end of the connection.
  async #consume() {
    this.#connection = await amqp.connect(this.url, {heartbeat: 10, timeout: 10_000});
    const ended = new Promise((resolve) => this.#connection.on('close', resolve));
    this.#connection.on('error', () => {}); // it closes, too
    const channel = await this.#connection.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(PREFETCH);
    await channel.assertExchange(EXCHANGE, 'topic', {durable: true});
    await channel.assertQueue(this.name, {durable: true});
    await channel.bindQueue(this.name, EXCHANGE, '#');
    await channel.consume(this.name, (message) => {
      if (message === null) return;
      this.#take(message);
      channel.ack(message);
    });
    return {ended};
  }

  #take({properties}) {
    const position = properties.headers?.['x-god33-position'];
    if (position === undefined) return;
    this.onRelayed(properties.messageId, Number(position));
  }
}
