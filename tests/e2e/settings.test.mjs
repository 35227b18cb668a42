// Every variable that an executable reads is in .env.example, with its default.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import {BASE_ENVIRONMENT, executable, ROOT} from './support/environment.mjs';
import {mustRun} from './support/run.mjs';

const COMMANDS = [['event-store-manager'], ['event-store-api'], ['gateway'], ['god33'], ['god33', 'event', 'publish']];

// Lines of --help such as: --queue TEXT=event_store_manager_queue (Env:GOD33_QUEUE)
const OPTION = /^\s*-\S+ .*?(?:=([^\s=]+))? (?:REQUIRED )?\(Env:(\w+)\)/gm;

// Their default depends on the service, or stands for one that a running set gives.
const OF_THE_SERVICE = new Set(['GOD33_LISTEN', 'GOD33_HTTP_LISTEN', 'GOD33_DATABASE_ROLE', 'RABBITMQ_URL',
  'DATABASE_URL', 'GOD33_EVENT_STORE_API_ADDR', 'GOD33_EVENT_STORE_MANAGER_ADDR', 'GOD33_LETTA_BRIDGE_ADDR']);

test('every variable is documented with its default', async () => {
  const documented = new Map([...readFileSync(path.join(ROOT, '.env.example'), 'utf8').matchAll(/^#([A-Z][A-Z0-9_]+)=(.*)$/gm)]
    .map(([, name, value]) => [name, value]));
  let read = 0;
  for (const [name, ...args] of COMMANDS) {
    const help = await mustRun(executable(name), [...args, '--help'], {env: BASE_ENVIRONMENT});
    for (const [, value = '', variable] of help.matchAll(OPTION)) {
      ++read;
      assert.ok(documented.has(variable), `${name} reads ${variable}`);
      if (OF_THE_SERVICE.has(variable)) continue;
      const expected = {true: '1', false: '0'}[documented.get(variable)] ?? documented.get(variable);
      assert.equal(value, expected, `${name}: ${variable}`);
    }
    assert.equal([...help.matchAll(/Env:/g)].length, [...help.matchAll(OPTION)].length, `${name}: options not understood`);
  }
  assert.ok(read > 25);
});
