// What can be done to a set. Each kind is
//     {name, about, targets, seconds: [least, most], touches(target), impossible(set), begin(set, target, random)}
// `touches`: what no other fault may touch meanwhile. `impossible`: why this machine can't, or null. `begin` makes
// it, and returns a function that ends it: then everything runs again that ran before; what that returns, if
// anything, are facts for the history. `random` is the fault's own. `load` is what drives the set (load.mjs).

import {closeSync, fstatSync, openSync, rmSync, writeSync} from 'node:fs';
import path from 'node:path';
import {pause, until} from '../e2e/support/wait.mjs';
import {CONNECTIONS, DAMAGEABLE, SERVICES} from './chaos_set.mjs';

const MANAGERS = ['manager-1', 'manager-2'];
const ENOUGH_BACKENDS = 5;
const CLOCK_SET_MS = 1500; // until PostgreSQL sees what its clock was set to
const LEASES_RENEWED_MS = CLOCK_SET_MS + 2500; // then leases are from that time
const CUT_EVERY_MS = 500;
const FILL_BYTES = 1 << 20;
const FILL_EVERY_MS = 200;

const nothing = () => null;
const clockOf = (name) => `clock of ${name}`;

// ---- Services

const kill = {
  name: 'kill',
  about: 'kill -9 of a service, which is started again later',
  targets: SERVICES,
  seconds: [0, 6],
  async begin({set}, target) {
    await set.killService(target);
    return () => set.startService(target);
  },
};

const freeze = {
  name: 'freeze',
  about: 'SIGSTOP of a service, for longer than leases and heartbeats last, then SIGCONT',
  targets: [...MANAGERS, ...SERVICES],
  seconds: [6, 20],
  begin({set}, target) {
    set.signalService(target, 'SIGSTOP');
    return () => set.signalService(target, 'SIGCONT');
  },
};

const restart = {
  name: 'restart',
  about: 'SIGTERM of a service, which is started again when it has ended',
  targets: SERVICES,
  seconds: [0, 3],
  async begin({set}, target) {
    await set.stopService(target);
    return () => set.startService(target);
  },
};

// ---- Servers

const onServer = (server, name, about, seconds, begin) => ({name, about, targets: [server], seconds, begin});

const killServer = (server, about) => onServer(server, `kill_${server}`, about, [0, 4], async ({set}) => {
  await set.servers.killServer(server);
  return () => set.servers.startServer(server);
});

const restartServer = (server, about) => onServer(server, `restart_${server}`, about, [0, 0], async ({set}) => {
  await set.servers.restartServer(server);
  return () => {};
});

const freezeServer = (server, about, seconds) => onServer(server, `freeze_${server}`, about, seconds,
  ({set}) => set.servers.freeze(server));

const killBackend = onServer('postgres', 'kill_backend',
  'kill -9 of one PostgreSQL backend in use: the server throws all out and recovers', [0, 0],
  async ({set}, target, random) => {
    const rows = await set.admin.rows(`
      SELECT pid FROM pg_stat_activity WHERE usename IN ('god33_writer', 'god33_reader')
      ORDER BY state_change DESC LIMIT $1`, ENOUGH_BACKENDS);
    const killed = rows.length > 0 ? random.pick(rows).pid : null;
    if (killed !== null) process.kill(killed, 'SIGKILL');
    return async () => {
      await until('PostgreSQL answers again', () => set.admin.value('SELECT true'), {within: 60_000});
      return {killed};
    };
  });

const alarm = (name, about, command, on, off) => onServer('rabbitmq', name, about, [3, 10], async ({set}) => {
  await set.rabbitmqctl(command, on);
  return async () => { await set.rabbitmqctl(command, off); };
});

// Fills the disk, and again what PostgreSQL gives back.
class Filler {
  constructor(directory) {
    this.#file = path.join(directory, 'filler');
    this.#descriptor = openSync(this.#file, 'w');
    this.#done = this.#run();
  }

  // Returns how many bytes it took.
  async end() {
    this.#running = false;
    await this.#done;
    const {size} = fstatSync(this.#descriptor);
    closeSync(this.#descriptor);
    rmSync(this.#file);
    return size;
  }

  #file;
  #descriptor;
  #running = true;
  #done;

  async #run() {
    const zeros = Buffer.alloc(FILL_BYTES);
    while (this.#running) {
      try {
        for (let size = FILL_BYTES; size >= 4096;) {
          if (writeSync(this.#descriptor, zeros, 0, size) < size) size /= 2;
        }
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      }
      await pause(FILL_EVERY_MS);
    }
  }
}

const diskFull = {
  name: 'disk_full',
  about: "PostgreSQL's disk, data and log, is full to the last block, and freed again",
  targets: ['postgres'],
  seconds: [4, 12],
  impossible: (set) => set.cannot.disk,
  begin({set}) {
    const filler = new Filler(set.smallDisk);
    return async () => {
      const filled = await filler.end();
      await set.servers.startServer('postgres'); // it ends if it can't write its log
      return {filled};
    };
  },
};

// A service's clock only goes ahead, and is set back then: libfaketime does not reach the waits that Abseil makes by
// itself, which would return at once, again and again, while the clock is behind the machine's.
const clockJump = {
  name: 'clock_jump',
  about: "the clock of PostgreSQL or a service jumps by a minute to two hours (a service's: ahead), and back again",
  targets: ['postgres', ...SERVICES],
  seconds: [3, 12],
  touches: (target) => [clockOf(target)],
  impossible: (set) => set.cannot.clock,
  begin({set}, target, random) {
    const jump = random.between(60, 7200) * (target === 'postgres' ? random.pick([1, -1]) : 1);
    set.setClock(target, jump);
    return () => {
      set.setClock(target, 0);
      return {jump};
    };
  },
};

// Leases that the dead have left, from a time that is still to come.
const staleLeases = {
  name: 'stale_leases',
  about: "both managers are killed while PostgreSQL's clock is ahead, and started when it is right again",
  targets: ['managers'],
  seconds: [0, 3],
  touches: () => [clockOf('postgres'), ...MANAGERS],
  impossible: (set) => set.cannot.clock,
  async begin({set}, target, random) {
    const jump = random.between(60, 7200);
    set.setClock('postgres', jump);
    await pause(LEASES_RENEWED_MS);
    await Promise.all(MANAGERS.map((manager) => set.killService(manager)));
    return async () => {
      set.setClock('postgres', 0);
      await pause(CLOCK_SET_MS);
      await Promise.all(MANAGERS.map((manager) => set.startService(manager)));
      return {jump};
    };
  },
};

// ---- Connections. `begin(proxy, random)` returns what ends it, as above.

const onConnection = (name, about, seconds, begin, targets = CONNECTIONS) => ({
  name, about, targets, seconds,
  begin({set}, target, random) {
    const proxy = set.proxies.get(target);
    const end = begin(proxy, random);
    return () => {
      const facts = end();
      return {...facts, reset: proxy.heal()};
    };
  },
});

const cut = onConnection('cut', 'connections are reset again and again', [0, 4], (proxy) => {
  proxy.cut();
  const timer = setInterval(() => proxy.cut(), CUT_EVERY_MS);
  return () => clearInterval(timer);
});

const refuse = onConnection('refuse', 'connections are reset, and new ones refused', [3, 10], (proxy) => {
  proxy.refusing = true;
  proxy.cut();
  return nothing;
});

const delay = onConnection('delay', 'everything arrives 50 ms to 1 s later', [5, 15], (proxy, random) => {
  const ms = random.between(50, 1000);
  proxy.delay = ms;
  return () => ({ms});
});

const halfOpen = onConnection('half_open', 'what one or both sides send vanishes, and nobody hangs up', [5, 20],
  (proxy, random) => {
    const what = random.pick(['requests', 'answers', 'both']);
    proxy.swallowing = what;
    return () => ({what});
  });

const corrupt = onConnection('corrupt', 'frames are damaged so that their reader can tell', [1, 5], (proxy, random) => {
  const before = proxy.damaged;
  proxy.damages = {requests: random.between(0, 2), answers: random.between(1, 2)};
  return () => ({damaged: proxy.damaged - before});
}, DAMAGEABLE);

// ---- What producers do

const onProducers = (name, about, seconds) => ({
  name, about, targets: ['producers'], seconds, touches: () => [name],
  begin: ({load}, target, random) => load.burst(name, random),
});

const KINDS = [
  kill, freeze, restart,
  killServer('postgres', 'kill -9 of the postmaster'), killBackend,
  restartServer('postgres', 'PostgreSQL is restarted in good order'),
  freezeServer('postgres', 'SIGSTOP of all of PostgreSQL, then SIGCONT', [3, 12]),
  killServer('rabbitmq', "kill -9 of RabbitMQ's Erlang machine"),
  restartServer('rabbitmq', 'RabbitMQ is restarted in good order'),
  freezeServer('rabbitmq', 'SIGSTOP of RabbitMQ, then SIGCONT', [5, 20]),
  alarm('memory_alarm', 'RabbitMQ blocks all who publish: no memory', 'set_vm_memory_high_watermark', '0', '0.4'),
  alarm('disk_alarm', 'RabbitMQ blocks all who publish: no disk', 'set_disk_free_limit', '1000000GB', '100MB'),
  diskFull, clockJump, staleLeases,
  cut, refuse, delay, halfOpen, corrupt,
  onProducers('duplicates', 'every message is published three times', [3, 8]),
  onProducers('reordering', 'messages are published in another order, effects before causes', [3, 8]),
  onProducers('poison', 'half of the messages can not be stored', [3, 8]),
];

export const FAULTS = new Map(KINDS.map((kind) =>
  [kind.name, {touches: (target) => [target], impossible: nothing, ...kind}]));
