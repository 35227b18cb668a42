// The Letta App Server of the set, which is killed and started again.

import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {Failure} from './environment.mjs';

const START_MS = 120_000;
const DEV = fileURLToPath(new URL('../../../dev', import.meta.url));
const run = promisify(execFile);

export class LettaServer {
  constructor(set) {
    this.#set = set;
  }

  // By SIGKILL. Returns what its pid was.
  async kill() {
    // process.sh writes it: pid, start time, boot.
    const [pid, started] = (await readFile(path.join(this.#set, 'pid/letta'), 'utf8')).split(' ');
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] !== started) {
      throw new Failure('the Letta App Server is not running', './dev status, ./dev logs letta');
    }
    process.kill(Number(pid), 'SIGKILL');
    return pid;
  }

  async start() {
    try {
      await run(DEV, ['start', 'letta'], {timeout: START_MS});
    } catch (error) {
      throw new Failure(`./dev start letta: ${error.stderr?.trim() || error.message}`, './dev logs letta');
    }
  }

  #set;
}
