// Drains a preloaded queue: from the start of the manager until every message is stored in its place,
// acked, and the manager has stopped; with everything switched on that is on in production.
//
// Its floor does the two things that can't be left out, one after the other, and nothing else: takes the
// same messages from a queue of the same kind and acks them, and copies the same rows, in the binary form,
// into the same indexed tables. The floor knows no duplicates, no dead letters, no order.

import path from 'node:path';
import {withChannel} from '../e2e/support/bus.mjs';
import {Database} from '../e2e/support/database.mjs';
import {BUILD_DIR} from '../e2e/support/environment.mjs';
import {EXCHANGE, QUEUE} from '../e2e/support/events.mjs';
import {mustRun} from '../e2e/support/run.mjs';
import {TestSet} from '../e2e/support/set.mjs';
import {until} from '../e2e/support/wait.mjs';

const EVENTS = 60_000;
const BARE_QUEUE = 'bench_bare';

// What a batch writes for each event, with the column that tells to which events of the log a row belongs.
const TABLES = [['event_ids', 'position'], ['events', 'position'], ['event_edges', 'child_position'],
  ['memberships', 'position']];

export async function bench({repeats, progress}) {
  const set = await TestSet.start('bench-drain');
  try {
    const drain = await Drain.prepare(set);
    const row = {what: 'drain of a preloaded quorum queue', unit: 'events/s', ours: [], floor: [], ratio: [],
      least: 0.4};
    for (let i = 0; i < repeats; ++i) {
      const {ours, consumed, copied} = await drain.repeat(i % 2 === 0);
      row.ours.push(EVENTS / ours);
      row.floor.push(EVENTS / (consumed + copied));
      row.ratio.push((consumed + copied) / ours);
      progress(`${i + 1} of ${repeats}: ours ${ours.toFixed(2)} s; ` +
        `bare consume ${consumed.toFixed(2)} s, bare COPY ${copied.toFixed(2)} s`);
    }
    return [row];
  } finally {
    await set.end();
  }
}

class Drain {
  // Two databases with the same schema, two queues with the same messages.
  static async prepare(set) {
    const admin = new Database(set.urls.GOD33_ADMIN_DATABASE_URL);
    const name = new URL(set.urls.DATABASE_URL).pathname.slice(1);
    await admin.rows(`CREATE DATABASE bare TEMPLATE "${name}" OWNER god33_migrator`);
    await new Database(withDatabase(set.urls.GOD33_ADMIN_DATABASE_URL, 'bare'))
      .rows('SELECT ensure_event_partitions(1)');
    const manager = await set.manager();
    await manager.untilHealthy();
    await manager.stop();
    await withChannel(set.urls.RABBITMQ_URL, async (channel) => {
      await channel.assertQueue(BARE_QUEUE, {durable: true, arguments: {'x-queue-type': 'quorum'}});
      await channel.bindQueue(BARE_QUEUE, EXCHANGE, '#');
    });
    return new Drain(set, manager);
  }

  constructor(set, manager) {
    this.set = set;
    this.manager = manager;
    this.database = new Database(set.urls.DATABASE_URL);
  }

  // Seconds of each.
  async repeat(oursFirst) {
    const begin = await this.#head();
    await this.#bus('publish', EVENTS);
    const steps = {
      ours: () => this.#ours(begin + EVENTS),
      consumed: async () => Number(await this.#bus('consume', BARE_QUEUE, EVENTS)),
    };
    const seconds = {};
    for (const step of oursFirst ? ['ours', 'consumed'] : ['consumed', 'ours']) seconds[step] = await steps[step]();
    seconds.copied = await this.#copy(begin);
    return seconds;
  }

  #head() {
    return this.database.value('SELECT coalesce(max(position), 0)::int FROM event_ids');
  }

  #bus(...args) {
    return mustRun(path.join(BUILD_DIR, 'bin/bench_bus'), args.map(String), {
      env: {RABBITMQ_URL: this.set.urls.RABBITMQ_URL}, timeout: 300_000});
  }

  async #ours(end) {
    const began = performance.now();
    await this.manager.start();
    await until('all is stored', async () => (await this.#head()) >= end, {within: 120_000, every: 10});
    await this.manager.stop();
    const seconds = (performance.now() - began) / 1000;
    const left = await withChannel(this.set.urls.RABBITMQ_URL, (channel) => channel.checkQueue(QUEUE));
    if (left.messageCount !== 0 || (await this.#head()) !== end) throw new Error('not everything was drained');
    return seconds;
  }

  // The rows behind position `begin`, out of ours and into the bare ones; only that is measured.
  async #copy(begin) {
    const {GOD33_ADMIN_DATABASE_URL: admin} = this.set.urls;
    const file = (table) => path.join(this.set.directory, `${table}.copy`);
    await psql(admin, TABLES.map(([table, position]) =>
      `\\copy (SELECT * FROM ${table} WHERE ${position} > ${begin} ORDER BY ${position}) TO '${file(table)}' BINARY`));
    const began = performance.now();
    await psql(withDatabase(admin, 'bare'), ['BEGIN;',
      ...TABLES.map(([table]) => `\\copy ${table} FROM '${file(table)}' BINARY`), 'COMMIT;']);
    return (performance.now() - began) / 1000;
  }
}

function withDatabase(url, name) {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

function psql(url, lines) {
  return mustRun('psql', ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', `--dbname=${url}`, '--file=-'],
    {env: {PATH: process.env.PATH}, input: `${lines.join('\n')}\n`, timeout: 300_000});
}
