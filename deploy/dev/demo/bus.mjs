// Bloodbank, by a client that is not ours.

import amqp from 'amqplib';
import {Failure} from './environment.mjs';

const EXCHANGE = 'bloodbank.events.v1';
const CONNECT_MS = 10_000;

export class Bus {
  static async connect(url) {
    const bus = new Bus();
    bus.#connection = await amqp.connect(url, {timeout: CONNECT_MS});
    bus.#connection.on('error', () => {}); // `broken` tells
    bus.#channel = await bus.#connection.createConfirmChannel();
    bus.#broken = new Promise((_, reject) => {
      bus.#channel.on('error', reject);
      bus.#channel.on('close', () => reject(new Failure('the broker has hung up', './dev logs rabbitmq')));
    });
    bus.#broken.catch(() => {}); // told to who publishes
    bus.#channel.on('return', (message) => bus.#returned.push(message.fields.routingKey));
    return bus;
  }

  // Published means: routed to at least one queue and confirmed by the broker.
  async publish(event) {
    this.#channel.publish(EXCHANGE, event.event_type, Buffer.from(JSON.stringify(event)), {
      mandatory: true,
      persistent: true,
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      messageId: event.event_id,
    });
    await Promise.race([this.#channel.waitForConfirms(), this.#broken]);
    if (this.#returned.length > 0) {
      throw new Failure(`no queue takes ${this.#returned.join(', ')}`, './dev status, ./dev logs event-store-manager');
    }
  }

  close() {
    return this.#connection.close().catch(() => {});
  }

  #connection;
  #channel;
  #broken;
  #returned = [];
}
