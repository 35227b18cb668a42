// What has to be taken down when a test's process ends, however that happens.

import {spawn} from 'node:child_process';

// A process outside of ours, holding a pipe that closes when we end: then it runs `command`, a line of shell
// that gets `args` as $0, $1, ...
export class Lifeline {
  constructor(command, args, env) {
    // Only the shell holds on to its output, which tells us the end: after ours nobody would read it.
    const watcher = spawn('setsid', ['--fork', 'sh', '-c', `cat <&3 >/dev/null; exec 3<&-; exec 2>/dev/null; ${command}`, ...args],
      {env, stdio: ['ignore', 'pipe', 'ignore', 'pipe']});
    this.#pipe = watcher.stdio[3];
    this.#ended = new Promise((resolve) => watcher.stdout.on('close', resolve).resume());
  }

  // Lets go of it, and waits until the command is done.
  async end() {
    this.#pipe.end();
    await this.#ended;
  }

  #pipe;
  #ended;
}
