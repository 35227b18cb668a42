// Ports that nobody has, and that nobody is likely to take while who has them is down: ./dev takes its own from other
// numbers, and the kernel gives clients others.

import {randomInt} from 'node:crypto';
import net from 'node:net';

const FIRST = 20_000;
const LAST = 32_000; // from 32768 on they are the kernel's
const ATTEMPTS = 100;

// `count` in a row, on 127.0.0.1, by chance.
export async function freePorts(count) {
  for (let attempt = 0; attempt < ATTEMPTS; ++attempt) {
    const first = randomInt(FIRST, LAST - count);
    const ports = Array.from({length: count}, (_, n) => first + n);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return ports;
  }
  throw new Error(`no ${count} ports in a row are free from ${FIRST} to ${LAST}`);
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
