// That every benchmark runs and reports; not what it reports.

import assert from 'node:assert/strict';
import {readdirSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {run} from '../e2e/support/run.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const NAMES = readdirSync(HERE).filter((file) => file.endsWith('.bench.mjs')).map((file) => file.slice(0, -10));
const bench = (...args) => run(path.join(HERE, 'run'), args, {env: process.env, timeout: 280_000});

test('every benchmark runs at the least size, and reports figures', async () => {
  const {code, stdout, stderr} = await bench('--small', '--repeats', '1', '--json');
  assert.equal(code, 0, stderr);
  const {machine, results} = JSON.parse(stdout.toString());
  assert.match(machine.synchronous_commit, /^on$/);
  for (const {what, unit, ours, median} of results) {
    assert.ok(what && unit && ours.length === 1 && median.ours >= 0, `${what}: ${ours}`);
  }
  for (const name of NAMES) assert.match(stderr, new RegExp(`^${name}: 1 of 1: `, 'm'));
});

test('wrong arguments are told what there is', async () => {
  for (const args of [['nonsense'], ['--repeats', '0'], ['--stored', 'many'], ['--what']]) {
    const {code, stderr} = await bench(...args);
    assert.equal(code, 2);
    assert.match(stderr, /names: .*drain/);
  }
});
