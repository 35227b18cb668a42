// A disk that a test can fill: a tmpfs of its own, gone with the test however that ends.

import {mkdtemp, rm} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {BASE_ENVIRONMENT} from './environment.mjs';
import {Lifeline} from './lifeline.mjs';
import {mustRun, run} from './run.mjs';

export class SmallDisk {
  // Why none can be made here, or null.
  static async missing() {
    if (process.getuid() !== 0) return 'only root may mount a disk';
    const end = await run('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], {env: BASE_ENVIRONMENT});
    return end.code === 0 ? null : `this machine does not let root mount: ${end.stderr.trim()}`;
  }

  // `size` as mount takes it: 64m.
  static async mount(size) {
    const disk = new SmallDisk();
    disk.path = await mkdtemp(path.join(os.tmpdir(), 'god33-disk-'));
    disk.#lifeline = new Lifeline('umount --lazy "$0"; rmdir "$0"', [disk.path], BASE_ENVIRONMENT);
    await mustRun('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'none', disk.path]);
    return disk;
  }

  // A directory that is PostgreSQL's.
  async directory(name) {
    const directory = path.join(this.path, name);
    await mustRun('install', ['-d', '-o', 'postgres', '-g', 'postgres', '-m', '700', directory]);
    return directory;
  }

  // Until not a byte is left.
  async fill() {
    await run('dd', ['if=/dev/zero', `of=${this.#filler}`, 'bs=64k', 'conv=notrunc', 'oflag=append']);
    await run('dd', ['if=/dev/zero', `of=${this.#filler}`, 'bs=512', 'conv=notrunc', 'oflag=append']);
  }

  free() {
    return rm(this.#filler, {force: true});
  }

  end() {
    return this.#lifeline.end();
  }

  #lifeline;

  get #filler() {
    return path.join(this.path, 'filler');
  }
}
