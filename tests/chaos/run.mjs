// A run: start a set, load it, do things to it in the order that the seed decides, let it come to rest, check.

import {mkdirSync} from 'node:fs';
import path from 'node:path';
import {pause} from '../e2e/support/wait.mjs';
import {ChaosSet} from './chaos_set.mjs';
import {FAULTS} from './faults.mjs';
import {History} from './history.mjs';
import {Load} from './load.mjs';
import {Random} from './random.mjs';
import {schedule} from './schedule.mjs';
import {settle, SETTLED_WITHIN_MS} from './settle.mjs';

const NEED_CLOCKS = ['clock_jump', 'stale_leases'];
const FLOWS_WITHIN_MS = 30_000;
const CALM_MS = 3000; // of load after the last fault
const LOAD_SEED = 33; // so that the load's numbers are others than the schedule's

export class Run {
  // `options` as in options.mjs; `say(line)` tells of the progress; `directory` is the run's.
  constructor(options, directory, say) {
    this.#options = options;
    this.#say = say;
    this.directory = directory;
    this.history = path.join(directory, 'history');
  }

  violations = []; // {invariant, what, ...} found by the run itself
  faults = []; // those that were made: {kind, target, seconds}
  skipped = new Map(); // kind: why
  figures = {};
  quiet = null; // whether it came to rest: see quiet.mjs

  // Ends faults, load and wait as soon as possible.
  interrupt() {
    this.interrupted = true;
    this.#interrupt();
  }

  // Rejects if there could be no run. Otherwise all is over, and at rest, when it resolves; the set still runs,
  // until end().
  async go() {
    const {seed, minutes, kinds} = this.#options;
    this.#say('starting PostgreSQL, RabbitMQ and the services');
    this.set = await ChaosSet.start(this.directory, {
      minutes,
      wants: {smallDisk: kinds.includes('disk_full'), clocks: kinds.some((kind) => NEED_CLOCKS.includes(kind))},
      onDeath: (name, how) => this.#died(name, how),
    });
    if (this.interrupted) return;
    for (const kind of kinds) {
      const why = FAULTS.get(kind).impossible(this.set);
      if (why !== null) this.#skip(kind, why);
    }
    mkdirSync(this.history);
    const history = History.open(this.history, 'run');
    this.#account = history;
    history.note('seed', {seed, minutes, kinds});
    this.load = await Load.start(this.set, history, new Random(seed + LOAD_SEED));
    await Promise.race([this.load.flows(FLOWS_WITHIN_MS), this.#interrupted]);
    await this.#makeFaults();
    if (!this.interrupted) await this.#comeToRest();
    this.figures = this.load.figures;
    for (const what of this.load.errors) this.violations.push({invariant: 'answers', what});
    await this.load.end();
    history.close();
  }

  async end() {
    await this.set?.end();
  }

  #options;
  #say;
  #account;
  #interrupt;
  #interrupted = new Promise((resolve) => { this.#interrupt = resolve; });

  async #makeFaults() {
    const {seed, minutes, kinds} = this.#options;
    const began = Date.now();
    const over = () => Date.now() > began + minutes * 60_000;
    for (const slot of schedule(seed, kinds)) {
      if (this.interrupted || this.violations.length > 0 || (over() && !slot.first)) break;
      await this.#rest(slot.rest * 1000);
      await Promise.all(slot.faults.map((fault) => this.#make(fault, began)));
    }
    this.#lastFaultAt = Date.now();
  }

  #lastFaultAt;

  async #make({kind, target, after, seconds, seed}, began) {
    const fault = FAULTS.get(kind);
    if (this.skipped.has(kind)) return;
    await this.#rest(after * 1000);
    if (this.interrupted) return;
    const at = ((Date.now() - began) / 1000).toFixed(1).padStart(6);
    this.#say(`${at} s  ${kind} ${target}, ${seconds} s`);
    const entry = this.#account.fault(kind, target, {seconds});
    this.faults.push({kind, target, seconds});
    try {
      const end = await fault.begin({set: this.set, load: this.load}, target, new Random(seed));
      await this.#rest(seconds * 1000);
      entry.end(await end());
    } catch (error) {
      // A service that does not stop or start in time, a server that does not come back.
      this.violations.push({invariant: 'recovery', what: `${kind} ${target}: ${error.message}`});
      this.#say(`${kind} ${target}: ${error.message}`);
    }
  }

  async #comeToRest() {
    await this.#rest(CALM_MS);
    this.#say(`the last fault is over: everything has ${SETTLED_WITHIN_MS / 1000} s to come to rest`);
    const {quiet, stuck} = await settle(this.set.checked, this.load, this.#lastFaultAt);
    this.quiet = quiet;
    for (const what of stuck) this.violations.push({invariant: 'nothing stuck', what});
  }

  #skip(kind, why) {
    this.skipped.set(kind, why);
    this.#say(`skipped: ${kind}: ${why}`);
  }

  #died(name, {code, signal}) {
    const what = `${name} has ended by itself (${signal ?? `exit code ${code}`}): see log/${name}.log`;
    this.violations.push({invariant: 'no service dies', what});
    this.#say(what);
  }

  #rest(ms) {
    return Promise.race([pause(ms), this.#interrupted]);
  }
}
