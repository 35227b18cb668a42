// A PostgreSQL and a RabbitMQ of the test's own (deploy/dev/servers.sh).

import {mkdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {BASE_ENVIRONMENT, ROOT} from './environment.mjs';
import {freePorts} from './free_ports.mjs';
import {Lifeline} from './lifeline.mjs';
import {mustRun} from './run.mjs';

const SCRIPT = path.join(ROOT, 'deploy/dev/servers.sh');

// A server that is down must find its port again when it comes back: others don't take these (free_ports.mjs).
const PORTS = ['POSTGRES', 'RABBITMQ', 'RABBITMQ_MANAGEMENT', 'RABBITMQ_PROMETHEUS', 'RABBITMQ_DIST', 'EPMD'];

export class Servers {
  // urls: RABBITMQ_URL, DATABASE_URL (the writer's), GOD33_READER_DATABASE_URL, ...
  static async start(directory, {migrate = true} = {}) {
    const servers = new Servers(directory);
    await servers.#script('down', directory); // what a run that was killed has left
    await mkdir(directory, {recursive: true});
    const ports = await freePorts(PORTS.length);
    await writeFile(path.join(directory, 'ports'), PORTS.map((name, n) => `${name}=${ports[n]}\n`).join(''));
    servers.#lifeline = new Lifeline('"$0" down "$1" >/dev/null', [SCRIPT, directory], BASE_ENVIRONMENT);
    await servers.#script('up', directory);
    servers.urls = await readEnvironment(path.join(directory, 'env'));
    if (migrate) await servers.migrate();
    return servers;
  }

  constructor(directory) {
    this.directory = directory;
  }

  migrate() {
    return this.#script('migrate', this.directory);
  }

  // SERVER: postgres or rabbitmq.
  startServer(server) {
    return this.#script('start', server, this.directory);
  }

  // In good order.
  stopServer(server) {
    return this.#script('stop', server, this.directory);
  }

  restartServer(server) {
    return this.#script('restart', server, this.directory);
  }

  // By SIGKILL; PostgreSQL's is the postmaster's.
  killServer(server) {
    return this.#script('kill', server, this.directory);
  }

  // The broker's own command line tool. Returns what it prints.
  rabbitmqctl(...args) {
    return this.#script('rabbitmqctl', this.directory, ...args);
  }

  // Stops all processes of a server, so that it neither answers nor hangs up. Returns what lets them go on.
  async freeze(server) {
    const main = Number((await readFile(path.join(this.directory, 'pid', server), 'utf8')).split(' ')[0]);
    process.kill(main, 'SIGSTOP'); // it starts no more
    const pids = [main, ...(await childrenOf(main))];
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    return async () => { for (const pid of pids.reverse()) process.kill(pid, 'SIGCONT'); };
  }

  // Stops both and removes all they had.
  async end() {
    await this.#lifeline.end();
  }

  #lifeline;

  #script(...args) {
    return mustRun(SCRIPT, args, {env: BASE_ENVIRONMENT});
  }
}

async function childrenOf(pid) {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number);
}

// Lines such as: export NAME='value'
export async function readEnvironment(file) {
  const variables = {};
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const match = line.match(/^export (\w+)='(.*)'$/);
    if (match) variables[match[1]] = match[2].replaceAll(String.raw`'\''`, "'");
  }
  return variables;
}
