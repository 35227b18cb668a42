// A set that ./dev starts, in a directory of its own.

import {existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import path from 'node:path';
import {BASE_ENVIRONMENT, BUILD_DIR, ROOT} from './environment.mjs';
import {Lifeline} from './lifeline.mjs';
import {readEnvironment} from './servers.mjs';
import {mustRun, run} from './run.mjs';

const UP_MS = 600_000; // a first one may have to build

export class DevSet {
  static async create(directory) {
    const set = new DevSet(directory);
    await set.remove(); // what a run that was killed has left
    mkdirSync(path.dirname(directory), {recursive: true});
    set.#lifeline = new Lifeline('"$0"/dev down >/dev/null; "$0"/deploy/dev/servers.sh down "$1" >/dev/null',
      [ROOT, directory], set.environment);
    return set;
  }

  constructor(directory) {
    this.directory = directory;
    this.environment = {...BASE_ENVIRONMENT, HOME: homedir(), GOD33_RUN_DIR: directory, GOD33_BUILD_DIR: BUILD_DIR};
  }

  // ./dev COMMAND: {code, text (what it printed), ms}
  async dev(...args) {
    const began = Date.now();
    const end = await run(path.join(ROOT, 'dev'), args, {env: this.environment, cwd: ROOT, timeout: UP_MS});
    return {code: end.code, text: `${end.stdout}${end.stderr}`, ms: Date.now() - began};
  }

  // The same, which has to succeed.
  async must(...args) {
    const end = await this.dev(...args);
    if (end.code !== 0) throw new Error(`./dev ${args.join(' ')}: exit code ${end.code}\n${end.text}`);
    return end;
  }

  // Addresses, as ./dev writes them down.
  variables() {
    return readEnvironment(path.join(this.directory, 'env'));
  }

  // Pids by name.
  pids() {
    const files = readdirSync(path.join(this.directory, 'pid'));
    return Object.fromEntries(files.map((name) =>
      [name, Number(readFileSync(path.join(this.directory, 'pid', name), 'utf8').split(' ')[0])]));
  }

  // Pids of everything that was started for this set, also by others than ./dev.
  processes() {
    const mark = `GOD33_SET=${this.directory}\0`;
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false; // gone, or not ours
      }
    });
  }

  // Stops everything and deletes it, whatever state it is in.
  async remove() {
    if (!existsSync(path.join(this.directory, 'id'))) return;
    await this.dev('down');
    await mustRun(path.join(ROOT, 'deploy/dev/servers.sh'), ['down', this.directory], {env: BASE_ENVIRONMENT});
  }

  async end() {
    await this.#lifeline.end();
  }

  #lifeline;
}
