// One of our executables as a process of the test.

import {spawn} from 'node:child_process';
import {closeSync, openSync, readFileSync, statSync} from 'node:fs';
import {BASE_ENVIRONMENT, executable} from './environment.mjs';
import {inTime, until} from './wait.mjs';

export class Service {
  // `name` is the executable's; `log` the file its standard error is appended to.
  constructor(name, environment, log) {
    this.name = name;
    this.environment = environment;
    this.log = log;
  }

  // Starts it and waits until it serves. `grpc`, `rest` and `http` are its addresses then.
  async start() {
    this.launch();
    const serving = await until(`${this.name} serves`,
      () => (this.exit ? {} : this.logLines().find((line) => line.message === 'serving')), {within: 20_000});
    if (this.exit) throw this.#failure('has ended');
    this.grpc = serving.grpc;
    this.rest = serving.rest;
    this.http = serving.http;
    return this;
  }

  // Starts it without waiting.
  launch() {
    const log = openSync(this.log, 'a');
    this.#logStart = statSync(this.log).size;
    // The kernel kills it when this process dies, however that happens.
    this.#child = spawn('/usr/bin/setpriv', ['--pdeathsig=KILL', '--', executable(this.name)], {
      env: {...BASE_ENVIRONMENT, GOD33_LISTEN: '127.0.0.1:0', GOD33_HTTP_LISTEN: '127.0.0.1:0', ...this.environment},
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.exit = null;
    this.exited = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => {
        this.exit = {code, signal};
        resolve(this.exit);
      });
    });
  }

  // Starts it again where it was, for those who know its address.
  async startAgain() {
    this.environment = {...this.environment, GOD33_LISTEN: this.grpc ?? this.rest, GOD33_HTTP_LISTEN: this.http};
    // Meanwhile a client may have got that port for a moment.
    return until(`${this.name} serves where it was`, () => this.start(), {within: 30_000});
  }

  get running() {
    return this.exit === null;
  }

  get pid() {
    return this.#child.pid;
  }

  signal(name) {
    this.#child.kill(name);
  }

  // Asks it to stop. Returns {code, signal, ms}.
  async stop({within = 15_000} = {}) {
    const began = Date.now();
    this.signal('SIGTERM');
    const exit = await inTime(`${this.name} has stopped`, this.exited, within);
    return {...exit, ms: Date.now() - began};
  }

  async kill() {
    this.signal('SIGKILL');
    await inTime(`${this.name} is dead`, this.exited);
  }

  // Lines of its log since it was started last.
  logLines() {
    return this.logText().split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return []; // half a line, or no JSON: usage messages
      }
    });
  }

  logText() {
    return readFileSync(this.log).subarray(this.#logStart).toString();
  }

  // {code (HTTP's), status, components}
  async health() {
    const response = await fetch(`http://${this.http}/healthz`, {signal: AbortSignal.timeout(5000)});
    return {code: response.status, ...(await response.json())};
  }

  untilHealthy(options) {
    return until(`${this.name} is healthy`, async () => (await this.health()).code === 200,
      {within: 30_000, ...options});
  }

  // Sum of a metric's values over its labels, or the value of one line such as 'x_total{source="bus"}'.
  async metric(name) {
    const response = await fetch(`http://${this.http}/metrics`, {signal: AbortSignal.timeout(5000)});
    let sum = 0;
    for (const line of (await response.text()).split('\n')) {
      const named = line.startsWith(`${name} `) || line.startsWith(`${name}{`);
      if (named) sum += Number(line.slice(line.lastIndexOf(' ')));
    }
    return sum;
  }

  #child;
  #logStart = 0;

  #failure(what) {
    const end = this.exit.signal ?? `exit code ${this.exit.code}`;
    return new Error(`${this.name} ${what} (${end}); its log:\n${this.logText().slice(-2000)}`);
  }
}
