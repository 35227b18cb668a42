// A TCP proxy on 127.0.0.1 that does to its connections what a network does at its worst. One stands between
// each two processes that talk.

import net from 'node:net';
import {Framing, PROTOCOLS} from './framing.mjs';

export class Proxy {
  // `name` such as "manager-1>postgres"; `protocol` is a name of PROTOCOLS, or null when nothing is damaged.
  // `target()`: {host, port} of the server.
  static async start(name, protocol, target) {
    const proxy = new Proxy(name, protocol, target);
    await new Promise((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    proxy.address = `127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  constructor(name, protocol, target) {
    this.name = name;
    this.protocol = protocol;
    this.#target = target;
    this.#server = net.createServer((client) => this.#accept(client));
  }

  // Resets all connections.
  cut() {
    for (const link of [...this.#links]) link.reset();
  }

  // While it is true, new connections are reset at once.
  refusing = false;

  // Milliseconds by which everything arrives later, both ways.
  delay = 0;

  // While it is set, bytes vanish: 'requests', 'answers' or 'both'. A connection that has lost bytes is reset
  // by heal(), as TCP gives up in the end.
  swallowing = null;

  // While it is above 0, so many connections get one damaged frame each: in 'requests' or 'answers'.
  damages = {requests: 0, answers: 0};

  damaged = 0; // frames, so far

  // All is well again. Returns how many connections were reset.
  heal() {
    this.refusing = false;
    this.delay = 0;
    this.swallowing = null;
    this.damages = {requests: 0, answers: 0};
    const broken = [...this.#links].filter((link) => link.lost);
    for (const link of broken) link.reset();
    return broken.length;
  }

  end() {
    this.#server.close();
    this.cut();
  }

  #target;
  #server;
  #links = new Set();

  #accept(client) {
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const {host, port} = this.#target();
    const link = new Link(this, client, net.connect({host, port, noDelay: true}));
    this.#links.add(link);
    link.onEnd = () => this.#links.delete(link);
  }
}

class Link {
  lost = false;

  constructor(proxy, client, server) {
    this.#proxy = proxy;
    this.#ends = [client, server];
    client.setNoDelay(true);
    this.#forward(client, server, 'requests');
    this.#forward(server, client, 'answers');
  }

  reset() {
    for (const end of this.#ends) if (!end.destroyed) end.resetAndDestroy();
    this.onEnd();
  }

  #proxy;
  #ends;

  #forward(from, to, direction) {
    const proxy = this.#proxy;
    const framing = proxy.protocol === null ? null : new Framing(PROTOCOLS[proxy.protocol][direction]);
    let damagedOnce = false;
    const later = (action) => (proxy.delay > 0 || this.#delayed(to) ? this.#later(to, action) : action());
    from.on('data', (chunk) => {
      if (proxy.swallowing === direction || proxy.swallowing === 'both' || this.lost) {
        this.lost = true;
        return;
      }
      let bytes = chunk;
      if (framing) {
        const result = framing.pass(chunk, !damagedOnce && proxy.damages[direction] > 0);
        bytes = result.bytes;
        if (result.damaged) {
          damagedOnce = true;
          --proxy.damages[direction];
          ++proxy.damaged;
        }
      }
      later(() => {
        if (to.writable && !to.write(bytes)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
    });
    from.on('end', () => later(() => { if (to.writable) to.end(); }));
    from.on('error', () => later(() => this.reset()));
    from.on('close', () => { if (to.destroyed) this.onEnd(); });
  }

  // What waits to be delivered to an end, so that nothing overtakes it when the delay is over.
  #queues = new Map();

  #delayed(to) {
    return (this.#queues.get(to)?.length ?? 0) > 0;
  }

  #later(to, action) {
    const queue = this.#queues.get(to) ?? [];
    this.#queues.set(to, queue);
    queue.push(action);
    const due = Date.now() + this.#proxy.delay;
    action.due = due;
    if (queue.length === 1) this.#deliver(to, queue);
  }

  #deliver(to, queue) {
    setTimeout(() => {
      while (queue.length > 0 && queue[0].due <= Date.now()) queue.shift()();
      if (queue.length > 0) this.#deliver(to, queue);
    }, Math.max(1, queue[0].due - Date.now()));
  }
}
