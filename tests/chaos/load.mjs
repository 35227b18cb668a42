// The load: producers on the bus, services that append, clients that follow the log, and a consumer of what the
// relay publishes. All of it goes on through every fault and is written into the history.

import {BusWatcher} from '../e2e/support/bus_watcher.mjs';
import {canonical} from '../e2e/support/events.mjs';
import {EventStoreClient} from '../e2e/support/grpc.mjs';
import {publishWithPika} from '../e2e/support/pika.mjs';
import {SteadyPublisher} from '../e2e/support/steady_publisher.mjs';
import {inTime, until} from '../e2e/support/wait.mjs';
import {Aggregate, Appender, GrpcTransport, RestTransport} from './appender.mjs';
import {CallFollower, SocketFollower, SourceFollower} from './followers.mjs';
import {Traffic} from './traffic.mjs';

const PRODUCERS = 2;
const MESSAGES_A_SECOND = 40; // of each producer
const PAUSE_MS = 150; // of an appender between two requests; of one that appends in bulk:
const BULK_PAUSE_MS = 3000;
const STORED_HELD = 1000; // events whose ids poison takes
const REFUSED_BY_DATABASE = 3; // messages in a burst of poison

class Producer extends SteadyPublisher {
  constructor(history, url, traffic, rate) {
    super(url, traffic, rate);
    this.history = history;
  }

  // What is still under way is not waited for, and its outcome not told.
  abandon() {
    this.#abandoned = true;
    this.finish();
  }

  onPublish(message) {
    if (this.#abandoned) return; // and it is not published for the first time
    if (message.id !== null) this.history.attempted('amqp', [message.event]);
    else message.poisonId = this.history.attemptedPoison(message.body, message.reasons);
  }

  onOutcome({id, poisonId}, error) {
    if (this.#abandoned) return;
    const known = id ?? poisonId;
    if (error === null) this.history.confirmed(known);
    else if (error.returned) this.history.returned(known);
    else this.history.unknown(known, error.message);
  }

  #abandoned = false;
}

class Consumer extends BusWatcher {
  constructor(history, url) {
    super(url, 'chaos-consumer');
    this.history = history;
  }

  head = 0; // the largest position that came

  onRelayed(id, position) {
    this.head = Math.max(this.head, position);
    this.history.relayed(id, position);
  }
}

export class Load {
  static async start(set, history, random) {
    const load = new Load(set, history);
    await load.#start(random);
    return load;
  }

  constructor(set, history) {
    this.#set = set;
    this.#history = history;
  }

  followers = [];

  // What has been done so far.
  get figures() {
    const sum = (list, name) => list.reduce((total, each) => total + each[name], 0);
    return {published: sum(this.#producers, 'published'), appended: sum(this.#appenders, 'answered'),
      retries: sum(this.#appenders, 'retries'), reconnects: sum(this.#producers, 'reconnects'),
      connections: sum(this.followers, 'connections')};
  }

  // Answers and ends that no fault explains.
  get errors() {
    return [...this.#appenders, ...this.followers].flatMap((each) => each.errors ?? []);
  }

  // Waits until each part has come to something.
  async flows(within) {
    const before = this.figures;
    const position = Math.max(...this.followers.map((follower) => follower.position));
    await until('the load flows', () =>
      this.figures.published > before.published && this.figures.appended > before.appended &&
      this.followers.every((follower) => follower.position > position), {within});
  }

  // A burst of what Traffic can do. Returns what ends it.
  async burst(name, random) {
    for (const traffic of this.#traffics) traffic.bursts.add(name);
    if (name === 'poison') await this.#refusedByDatabase(random);
    return () => { for (const traffic of this.#traffics) traffic.bursts.delete(name); };
  }

  // Nothing new is sent. Ends when all that was sent is answered.
  async finish(within) {
    await inTime('all that was sent is answered', Promise.all([...this.#producers, ...this.#appenders].map((each) =>
      each.finish())), within);
  }

  // Everybody goes.
  async end() {
    for (const each of [...this.#producers, ...this.#appenders]) each.abandon();
    await Promise.all(this.followers.map((follower) => follower.finish()));
    await this.#consumer?.stop();
    for (const each of this.#closing) each.close();
  }

  // The largest position that the relay has published.
  get relayed() {
    return this.#consumer.head;
  }

  #set;
  #history;
  #producers = [];
  #appenders = [];
  #traffics = [];
  #stored = [];
  #closing = [];
  #consumer;

  async #start(random) {
    const set = this.#set;
    const history = this.#history;
    this.#consumer = new Consumer(history, set.rabbitUrl('consumer>rabbitmq'));
    await this.#consumer.start(); // before the first append
    const service = (name) => set.services.get(name);
    const manager = await EventStoreClient.discover(service('manager-1').grpc);
    const api = await EventStoreClient.discover(service('api-1').grpc);
    const apis = ['api-1', 'api-2'].map((name) => api.at(service(name).grpc));
    const gateway = set.proxies.get('clients>gateway').address;
    this.#closing.push(manager, api, ...apis);
    this.followers = [
      new SocketFollower(history, 'websocket', gateway).start(),
      new SourceFollower(history, 'server-sent-events', gateway).start(),
      new CallFollower(history, 'grpc', () => apis).start(),
    ];
    this.#startAppenders(random, manager, gateway);
    for (let n = 0; n < PRODUCERS; ++n) {
      const traffic = new Traffic(random, () => random.pick(this.#stored));
      this.#traffics.push(traffic);
      this.#producers.push(new Producer(history, set.rabbitUrl('producers>rabbitmq'), traffic, MESSAGES_A_SECOND));
      this.#producers[n].start();
    }
  }

  #startAppenders(random, manager, gateway) {
    const addresses = () => ['manager-1', 'manager-2'].map((name) => this.#set.services.get(name).grpc);
    const transports = [new GrpcTransport(manager, addresses), new RestTransport(gateway)];
    this.#closing.push(...transports);
    const onStored = (event) => {
      this.#stored.push(event);
      if (this.#stored.length > STORED_HELD) this.#stored.shift();
    };
    const aggregate = new Aggregate(); // of two at once
    for (const transport of transports) {
      for (const options of [{pauseMs: PAUSE_MS}, {pauseMs: BULK_PAUSE_MS, bulk: true},
        {pauseMs: PAUSE_MS, aggregate, contested: true}]) {
        this.#appenders.push(new Appender(this.#history, random, transport, {...options, onStored}).start());
      }
    }
  }

  // A routing key that is no UTF-8 passes every check but the database's. amqplib can't write one.
  async #refusedByDatabase(random) {
    const bodies = Array.from({length: REFUSED_BY_DATABASE}, () =>
      JSON.stringify(canonical({payload: {n: random.between(0, 2 ** 32)}})));
    const ids = bodies.map((body) => this.#history.attemptedPoison(body, ['store_failed']));
    try {
      const confirmed = await publishWithPika(this.#set.urls.RABBITMQ_URL, bodies.map((body) =>
        ({routing_key_hex: '612eff', body_hex: Buffer.from(body).toString('hex')})));
      if (confirmed === ids.length) for (const id of ids) this.#history.confirmed(id);
    } catch (error) {
      for (const id of ids) this.#history.unknown(id, error.message); // the broker may just be away
    }
  }
}
