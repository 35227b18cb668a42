// The bus with amqplib: publishing as Bloodbank's producers do, and a queue of somebody else's.

import amqp from 'amqplib';
import {DEAD_LETTER_QUEUE, EXCHANGE} from './events.mjs';

export class Publisher {
  static async connect(url) {
    const connection = await amqp.connect(url, {heartbeat: 10, timeout: 10_000});
    const channel = await connection.createConfirmChannel();
    return new Publisher(connection, channel);
  }

  constructor(connection, channel) {
    this.connection = connection;
    this.channel = channel;
    this.#returned = new Set();
    connection.on('error', () => {}); // every publication under way is rejected
    channel.on('error', () => {});
    channel.on('return', (message) => this.#returned.add(message.properties.correlationId));
  }

  // Resolves when the broker has confirmed the message in some queue; the error of one that no queue takes
  // has `returned`.
  publish(routingKey, body, properties = {}) {
    const correlationId = String(++this.#count);
    return new Promise((resolve, reject) => {
      this.channel.publish(EXCHANGE, routingKey, Buffer.from(body), {
        mandatory: true,
        persistent: true,
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        correlationId, // recognises a message that comes back
        ...properties,
      }, (error) => {
        const returned = this.#returned.delete(correlationId);
        if (error) reject(error);
        else if (returned) reject(Object.assign(new Error(`no queue takes ${routingKey}`), {returned}));
        else resolve();
      });
    });
  }

  // An event as an object.
  publishEvent(event, properties) {
    return this.publish(event.event_type, JSON.stringify(event), {messageId: event.event_id, ...properties});
  }

  async close() {
    await this.connection.close().catch(() => {});
  }

  #count = 0;
  #returned;
}

// A queue of another system, bound to everything on the exchange. `messages` are those that came.
export class ForeignQueue {
  static async bind(url, {name = 'some-other-service', exchange = EXCHANGE} = {}) {
    const queue = new ForeignQueue();
    queue.connection = await amqp.connect(url, {heartbeat: 10, timeout: 10_000});
    queue.connection.on('error', () => {});
    const channel = await queue.connection.createChannel();
    await channel.assertExchange(exchange, 'topic', {durable: true});
    await channel.assertQueue(name, {durable: true});
    await channel.bindQueue(name, exchange, '#');
    await channel.consume(name, (message) => queue.#take(message), {noAck: true});
    return queue;
  }

  messages = [];

  find(messageId) {
    return this.messages.filter((message) => message.properties.messageId === messageId);
  }

  async close() {
    await this.connection.close().catch(() => {});
  }

  #take(message) {
    if (message !== null) this.messages.push(message);
  }
}

// Takes everything that is in a queue.
export async function drain(url, name = DEAD_LETTER_QUEUE) {
  const connection = await amqp.connect(url, {timeout: 10_000});
  try {
    const channel = await connection.createChannel();
    const messages = [];
    for (;;) {
      const message = await channel.get(name, {noAck: true});
      if (message === false) return messages;
      messages.push(message);
    }
  } finally {
    await connection.close().catch(() => {});
  }
}

// Runs `work` with a channel of its own.
export async function withChannel(url, work) {
  const connection = await amqp.connect(url, {timeout: 10_000});
  connection.on('error', () => {});
  try {
    return await work(await connection.createChannel());
  } finally {
    await connection.close().catch(() => {});
  }
}
