// Publishing with pika, Python's client (Debian's python3-pika).

import {fileURLToPath} from 'node:url';
import {BASE_ENVIRONMENT} from './environment.mjs';
import {mustRun} from './run.mjs';

const SCRIPT = fileURLToPath(new URL('pika_publish.py', import.meta.url));

// Messages as in pika_publish.py. Returns how many were confirmed.
export async function publishWithPika(url, messages) {
  return Number(await mustRun('/usr/bin/python3', [SCRIPT], {
    env: {...BASE_ENVIRONMENT, RABBITMQ_URL: url},
    input: messages.map((message) => `${JSON.stringify(message)}\n`).join(''),
  }));
}
