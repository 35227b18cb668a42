// A command that goes on for a while, with what it has printed so far.

import {spawn} from 'node:child_process';

export class Process {
  static start(command, args, env) {
    return new Process(spawn('/usr/bin/setpriv', ['--pdeathsig=KILL', '--', command, ...args],
      {env, stdio: ['ignore', 'pipe', 'pipe']}));
  }

  constructor(child) {
    this.#child = child;
    child.stdout.on('data', (chunk) => { this.out += chunk; });
    child.stderr.on('data', (chunk) => { this.err += chunk; });
    this.exited = new Promise((resolve) => child.on('close', (code, signal) => resolve({code, signal})));
  }

  out = '';
  err = '';

  signal(name) {
    this.#child.kill(name);
  }

  #child;
}
