// What the benchmarks of one invocation share: servers, logs that are filled once, and the sizes.

import path from 'node:path';
import {withChannel} from '../../e2e/support/bus.mjs';
import {Database} from '../../e2e/support/database.mjs';
import {Letta} from '../../e2e/support/letta.mjs';
import {TestSet} from '../../e2e/support/set.mjs';
import {BenchDatabase} from './database.mjs';

export class BenchRun {
  // `stored`: events in the log that is asked; `small`: sizes that prove that a benchmark runs, no more.
  static async start({repeats, small, stored, progress}) {
    const run = new BenchRun();
    Object.assign(run, {repeats, small, stored: small ? 2000 : stored, progress});
    // Each name's servers are those of its last run: the test of the benchmarks must not end a long one's.
    run.set = await TestSet.start(small ? 'bench-small' : 'bench');
    return run;
  }

  size(full, small) {
    return this.small ? small : full;
  }

  // What drivers need to know of the broker.
  get broker() {
    return {RABBITMQ_URL: this.set.urls.RABBITMQ_URL};
  }

  // A migrated, empty database, in the place of the one that had this name; or a copy of the one named `template`.
  async database(name, template) {
    const database = await BenchDatabase.create(this.set, name, template);
    this.#databases.set(name, database);
    return database;
  }

  // Removes all databases but the filled ones, so that no vacuum of theirs disturbs the next benchmark.
  async clear() {
    for (const database of this.#databases.values()) await database.drop();
    this.#databases.clear();
  }

  // A log of `events` events (this.stored, if not said), stored by the batch writer. It is kept for all
  // benchmarks, which therefore only read it.
  filled(events = this.stored) {
    if (!this.#filled.has(events)) this.#filled.set(events, this.#fill(events));
    return this.#filled.get(events);
  }

  // Calls `measure` for every repeat; it gets the number and whether ours comes first.
  async repeat(measure) {
    for (let i = 0; i < this.repeats; ++i) {
      this.progress(`${i + 1} of ${this.repeats}: ${await measure(i, i % 2 === 0)}`);
    }
  }

  // Runs `work` while a quorum queue of this name, bound to all of `exchange`, is there.
  withQueue(name, exchange, work) {
    return withChannel(this.set.urls.RABBITMQ_URL, async (channel) => {
      await channel.assertExchange(exchange, 'topic', {durable: true});
      await channel.assertQueue(name, {durable: true, arguments: {'x-queue-type': 'quorum'}});
      await channel.bindQueue(name, exchange, '#');
      try {
        return await work();
      } finally {
        await channel.deleteQueue(name);
      }
    });
  }

  async messagesIn(queue) {
    return withChannel(this.set.urls.RABBITMQ_URL, async (channel) => (await channel.checkQueue(queue)).messageCount);
  }

  // The database server, whatever is in it.
  get servers() {
    return new Database(this.set.urls.GOD33_ADMIN_DATABASE_URL);
  }

  // A Letta App Server with the scripted model, the same for all benchmarks.
  letta() {
    this.#letta ??= Letta.start(path.join(this.set.directory, 'letta'));
    return this.#letta;
  }

  async end() {
    const letta = await this.#letta?.catch(() => undefined); // said to who asked for it
    await letta?.end();
    await this.set.end();
  }

  #letta;
  #databases = new Map(); // of the benchmark under way
  #filled = new Map();

  async #fill(events) {
    this.progress(`storing ${events.toLocaleString('en')} events`);
    const database = await BenchDatabase.create(this.set, `filled_${events}`);
    await database.write(1, events);
    await database.psql('VACUUM ANALYZE;', 'CHECKPOINT;');
    return database;
  }
}

// Does both, in turns: `ours` first, or not.
export async function inTurns(oursFirst, ours, floor) {
  const results = {};
  const steps = [['ours', ours], ['floor', floor]];
  for (const [name, step] of oursFirst ? steps : steps.reverse()) results[name] = await step();
  return results;
}
