// One database of the benchmarks, and the services on it.

import {rmSync} from 'node:fs';
import path from 'node:path';
import {Database} from '../../e2e/support/database.mjs';
import {psql, secondsOf} from './drivers.mjs';

// What a batch writes for each event, with the column that tells to which events of the log a row belongs.
const TABLES = [['event_ids', 'position'], ['events', 'position'], ['event_edges', 'child_position'],
  ['memberships', 'position']];

// Where databases are made: in none of them.
const serverOf = (set) => set.urls.GOD33_ADMIN_DATABASE_URL.replace(/\/[^/]*$/, '/postgres');

const dropDatabase = (set, name) => psql(serverOf(set), [`DROP DATABASE IF EXISTS ${name} WITH (FORCE);`]);

export class BenchDatabase {
  // `template`: the name of the database it begins as, which nobody may use meanwhile; else empty and migrated.
  static async create(set, name, template = new URL(set.urls.DATABASE_URL).pathname.slice(1)) {
    const database = new BenchDatabase(set, name);
    await dropDatabase(set, name);
    await psql(serverOf(set), [`CREATE DATABASE ${name} TEMPLATE ${template} OWNER god33_migrator;`]);
    await database.rows('SELECT ensure_event_partitions(1)');
    return database;
  }

  constructor(set, name) {
    this.set = set;
    const on = (url) => {
      const changed = new URL(url);
      changed.pathname = `/${name}`;
      return changed.href;
    };
    this.name = name;
    this.admin = on(set.urls.GOD33_ADMIN_DATABASE_URL);
    this.writer = on(set.urls.DATABASE_URL);
    this.reader = on(set.urls.GOD33_READER_DATABASE_URL);
    this.#asAdmin = new Database(this.admin);
  }

  rows(sql, ...values) {
    return this.#asAdmin.rows(sql, ...values);
  }

  value(sql, ...values) {
    return this.#asAdmin.value(sql, ...values);
  }

  // Lines that may take long. Returns what they print.
  psql(...lines) {
    return psql(this.admin, lines);
  }

  head() {
    return this.value('SELECT coalesce(max(position), 0) FROM event_ids');
  }

  // Until the log has so many events.
  untilHead(position) {
    return this.#until(`(SELECT coalesce(max(position), 0) FROM event_ids) >= ${position}`);
  }

  // Until relay and projector of a running manager have come to the log's end.
  untilFollowed() {
    return this.#until('(SELECT count(*) FROM cursors WHERE position = (SELECT max(position) FROM event_ids)) >= 2');
  }

  // Stores events by the batch writer, without the bus. Returns the seconds.
  write(seed, events) {
    return secondsOf('log', ['write', seed, events], {env: {DATABASE_URL: this.writer}});
  }

  manager() {
    return this.set.manager({DATABASE_URL: this.writer}, `event-store-manager-${this.name}`);
  }

  api() {
    return this.set.api({DATABASE_URL: this.reader}, `event-store-api-${this.name}`);
  }

  // Bytes of write-ahead log that `work` causes. Vacuum's own log, which comes at any time, is kept out of it.
  async walOf(work) {
    await this.psql('ALTER SYSTEM SET autovacuum = off;', 'SELECT pg_reload_conf();', 'VACUUM ANALYZE;', 'CHECKPOINT;');
    try {
      const before = await this.value('SELECT pg_current_wal_insert_lsn()::text');
      await work();
      return Number(await this.value('SELECT pg_current_wal_insert_lsn() - $1::pg_lsn', before));
    } finally {
      await this.psql('ALTER SYSTEM RESET autovacuum;', 'SELECT pg_reload_conf();');
    }
  }

  drop() {
    return dropDatabase(this.set, this.name);
  }

  // Copies the rows behind position `begin` into the same tables of another database, in the binary form and one
  // transaction. Returns the seconds of writing them.
  async copyTo(target, begin = 0) {
    const file = (table) => path.join(this.set.directory, `${table}.copy`);
    await this.psql(...TABLES.map(([table, position]) =>
      `\\copy (SELECT * FROM ${table} WHERE ${position} > ${begin} ORDER BY ${position}) TO '${file(table)}' BINARY`));
    await target.psql('CHECKPOINT;');
    const began = performance.now();
    await target.psql('BEGIN;', ...TABLES.map(([table]) => `\\copy ${table} FROM '${file(table)}' BINARY`), 'COMMIT;');
    const seconds = (performance.now() - began) / 1000;
    for (const [table] of TABLES) rmSync(file(table));
    return seconds;
  }

  #asAdmin;

  // Looked at by the server itself: a connection for each look would slow down what is measured.
  #until(condition) {
    return this.psql('SET statement_timeout = 600000;',
      `DO $$ BEGIN WHILE NOT (${condition}) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;`);
  }
}
