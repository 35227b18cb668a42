// The set that a run works on: a PostgreSQL, a RabbitMQ, two event-store-managers, two event-store-apis and a
// gateway, all of its own, with a proxy between each two that talk.

import {spawnSync} from 'node:child_process';
import {chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {Database} from '../e2e/support/database.mjs';
import {BASE_ENVIRONMENT, executable} from '../e2e/support/environment.mjs';
import {freePorts} from '../e2e/support/free_ports.mjs';
import {Lifeline} from '../e2e/support/lifeline.mjs';
import {mustRun} from '../e2e/support/run.mjs';
import {Servers} from '../e2e/support/servers.mjs';
import {Service} from '../e2e/support/service.mjs';
import {Proxy} from './proxy.mjs';

const LIBRARIES = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
const FAKETIME = `${LIBRARIES}/faketime/libfaketime.so.1`;
const FAKETIME_THREADS = `${LIBRARIES}/faketime/libfaketimeMT.so.1`;
const SMALL_DISK_MIB = 1024; // of which 30 are added for each minute of load
const SMALL_DISK_MIB_A_MINUTE = 30;
const HEARTBEAT_MS = 3000; // so that clients notice soon that a stream is dead

const EXECUTABLES = {'manager-1': 'event-store-manager', 'manager-2': 'event-store-manager', 'api-1': 'event-store-api',
  'api-2': 'event-store-api', gateway: 'gateway'};
export const SERVICES = Object.keys(EXECUTABLES);

// Who talks to whom, and how.
const EDGES = [
  ...['manager-1', 'manager-2', 'api-1', 'api-2'].map((name) => [name, 'postgres', 'postgres']),
  ...['manager-1', 'manager-2', 'producers', 'consumer'].map((name) => [name, 'rabbitmq', 'amqp']),
  ...['manager-1', 'manager-2', 'api-1', 'api-2'].map((name) => ['gateway', name, 'http2']),
  ['clients', 'gateway', null],
].map(([from, to, protocol]) => ({name: `${from}>${to}`, from, to, protocol}));

// Names of connections; those of a protocol that can be damaged so that the damage is noticed.
export const CONNECTIONS = EDGES.map((edge) => edge.name);
export const DAMAGEABLE = EDGES.filter((edge) => edge.protocol !== null).map((edge) => edge.name);

export class ChaosSet {
  // `wants`: {smallDisk, clocks}: whether PostgreSQL gets a disk that can be filled; whether clocks can be set.
  // `onDeath(name, how)` hears of services that end although nobody made them.
  static async start(directory, {minutes, wants, onDeath}) {
    const set = new ChaosSet(directory, onDeath);
    try {
      await set.#start(minutes, wants);
    } catch (error) {
      await set.end();
      throw error;
    }
    return set;
  }

  constructor(directory, onDeath) {
    this.directory = directory;
    this.#onDeath = onDeath;
  }

  // What this machine can't do, and why: {disk, clock}; null where it can.
  cannot = {disk: null, clock: null};

  services = new Map(); // by name
  proxies = new Map(); // by name of the connection

  // RABBITMQ_URL, DATABASE_URL, ..., past all proxies.
  get urls() {
    return this.servers.urls;
  }

  // The broker's URL by way of a connection.
  rabbitUrl(connection) {
    return through(this.urls.RABBITMQ_URL, this.proxies.get(connection));
  }

  get gatewayUrl() {
    return `http://${this.services.get('gateway').rest}`;
  }

  // The set as check.mjs wants it.
  get checked() {
    return {urls: this.urls, servers: this.servers, services: [...this.services.values()], admin: this.admin};
  }

  // As a superuser.
  get admin() {
    return new Database(this.urls.GOD33_ADMIN_DATABASE_URL);
  }

  // SIGKILL, and nothing more.
  async killService(name) {
    this.#expected.add(name);
    await this.services.get(name).kill();
  }

  async stopService(name) {
    this.#expected.add(name);
    await this.services.get(name).stop({within: 30_000});
  }

  // Where it was.
  async startService(name) {
    const service = this.services.get(name);
    await service.startAgain();
    this.#watch(name, service);
  }

  signalService(name, signal) {
    this.services.get(name).signal(signal);
  }

  // Seconds by which the clock of postgres or a service differs from the machine's from about a second on.
  setClock(name, seconds) {
    writeFileSync(this.#clockFile(name), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  // The disk that PostgreSQL is on, if it is a small one.
  get smallDisk() {
    return path.join(this.directory, 'small-disk');
  }

  rabbitmqctl(...args) {
    return this.servers.rabbitmqctl(...args);
  }

  // A dump of the database into a file.
  async dump(file) {
    await mustRun('/usr/lib/postgresql/15/bin/pg_dump',
      ['--format=custom', `--file=${file}`, this.urls.GOD33_ADMIN_DATABASE_URL], {env: BASE_ENVIRONMENT});
  }

  async end() {
    this.#ending = true;
    for (const service of this.services.values()) {
      if (service.running) service.signal('SIGKILL');
    }
    for (const proxy of this.proxies.values()) proxy.end();
    const postmasters = this.#postmasters();
    const logs = path.join(this.#serversDirectory, 'log');
    if (existsSync(logs)) cpSync(logs, path.join(this.directory, 'log'), {recursive: true});
    await this.servers?.end();
    await this.#disk?.end();
    // What libfaketime leaves of a process that was killed.
    for (const pid of this.#clocks ? [...postmasters, ...this.#servicePids] : []) {
      for (const name of ['faketime_shm', 'sem.faketime_sem']) rmSync(`/dev/shm/${name}_${pid}`, {force: true});
    }
  }

  #onDeath;
  #expected = new Set();
  #ending = false;
  #disk;
  #ports;
  #clocks = false;
  #servicePids = new Set();

  get #serversDirectory() {
    return path.join(this.directory, 'servers');
  }

  #clockFile(name) {
    return path.join(this.directory, 'clocks', name);
  }

  async #start(minutes, wants) {
    mkdirSync(path.join(this.directory, 'log'));
    chmodSync(this.directory, 0o755); // PostgreSQL runs as a user of its own if we are root
    mkdirSync(this.#serversDirectory);
    if (wants.smallDisk) this.#makeSmallDisk(minutes);
    if (wants.clocks) this.#makeClocks();
    await this.#choosePorts();
    this.servers = await Servers.start(this.#serversDirectory);
    if (wants.smallDisk && this.cannot.disk === null) await this.#keepLogSmall();
    for (const edge of EDGES) this.proxies.set(edge.name, await this.#proxy(edge));
    for (const name of SERVICES) await this.#makeService(name).start();
    for (const [name, service] of this.services) {
      await service.untilHealthy();
      this.#watch(name, service);
    }
  }

  // What is killed comes back where it was: nobody else may get its port meanwhile.
  async #choosePorts() {
    const ports = await freePorts(2 * SERVICES.length);
    this.#ports = new Map(SERVICES.map((name) => [name,
      {GOD33_LISTEN: `127.0.0.1:${ports.pop()}`, GOD33_HTTP_LISTEN: `127.0.0.1:${ports.pop()}`}]));
  }

  #makeSmallDisk(minutes) {
    mkdirSync(this.smallDisk);
    const size = Math.ceil(SMALL_DISK_MIB + SMALL_DISK_MIB_A_MINUTE * minutes);
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m,mode=755`, 'tmpfs', this.smallDisk],
      {env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'}, encoding: 'utf8'});
    if (mount.status !== 0) {
      this.cannot.disk = `no file system can be mounted here: ${(mount.stderr ?? String(mount.error)).trim().split('\n')[0]}`;
      return;
    }
    this.#disk = new Lifeline('umount -l "$0"', [this.smallDisk], {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'});
    symlinkSync(path.join(this.smallDisk, 'postgres'), path.join(this.#serversDirectory, 'postgres'));
  }

  // Else the log grows with the disk instead of with the load.
  async #keepLogSmall() {
    await this.admin.rows("ALTER SYSTEM SET max_wal_size = '128MB'");
    await this.admin.rows('SELECT pg_reload_conf()');
  }

  #makeClocks() {
    if (!existsSync(FAKETIME) || !existsSync(FAKETIME_THREADS)) {
      this.cannot.clock = 'libfaketime is not installed (Debian: apt-get install libfaketime)';
      return;
    }
    this.#clocks = true;
    mkdirSync(path.join(this.directory, 'clocks'));
    for (const name of ['postgres', ...SERVICES]) this.setClock(name, 0);
    const environment = Object.entries(this.#clockEnvironment('postgres', FAKETIME));
    writeFileSync(path.join(this.#serversDirectory, 'postgres.env'),
      environment.map(([name, value]) => `${name}=${value}\n`).join(''));
  }

  #clockEnvironment(name, library) {
    if (!this.#clocks) return {};
    return {LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: this.#clockFile(name), FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1'};
  }

  // Pids of all that ever were.
  #postmasters() {
    const log = path.join(this.#serversDirectory, 'log/postgres.log');
    if (!existsSync(log)) return [];
    return [...readFileSync(log, 'utf8').matchAll(/ \[(\d+)\] .*starting PostgreSQL /g)].map(([, pid]) => pid);
  }

  #proxy({name, to, protocol}) {
    const address = {
      postgres: () => new URL(this.urls.DATABASE_URL).host,
      rabbitmq: () => new URL(this.urls.RABBITMQ_URL).host,
    }[to] ?? (() => this.services.get(to).grpc ?? this.services.get(to).rest);
    return Proxy.start(name, protocol, () => {
      const [host, port] = address().split(':');
      return {host, port: Number(port)};
    });
  }

  #makeService(name) {
    const service = new Service(EXECUTABLES[name], {
      ...this.#ports.get(name), ...this.#clockEnvironment(name, FAKETIME_THREADS), ...this.#environmentOf(name),
    }, path.join(this.directory, 'log', `${name}.log`));
    this.services.set(name, service);
    return service;
  }

  #environmentOf(name) {
    const proxied = (to) => this.proxies.get(`${name}>${to}`);
    // Encrypted connections would hide their frames from the proxy.
    const database = (url) => `${through(url, proxied('postgres'))}?sslmode=disable&gssencmode=disable`;
    switch (EXECUTABLES[name]) {
      case 'event-store-manager':
        return {DATABASE_URL: database(this.urls.DATABASE_URL), RABBITMQ_URL: this.rabbitUrl(`${name}>rabbitmq`)};
      case 'event-store-api':
        return {DATABASE_URL: database(this.urls.GOD33_READER_DATABASE_URL),
          GOD33_STREAM_HEARTBEAT_MS: String(HEARTBEAT_MS)};
      default:
        return {
          GOD33_EVENT_STORE_MANAGER_ADDR: `ipv4:${proxied('manager-1').address},${proxied('manager-2').address}`,
          GOD33_EVENT_STORE_API_ADDR: `ipv4:${proxied('api-1').address},${proxied('api-2').address}`,
        };
    }
  }

  // Until it ends.
  async #watch(name, service) {
    this.#servicePids.add(service.pid);
    const how = await service.exited;
    if (!this.#ending && !this.#expected.delete(name)) this.#onDeath(name, how);
  }
}

// The executables that are not there.
export function missingExecutables() {
  return [...new Set(Object.values(EXECUTABLES))].map((name) => executable(name)).filter((file) => !existsSync(file));
}

function through(url, proxy) {
  const changed = new URL(url);
  changed.host = proxy.address;
  return changed.toString();
}
