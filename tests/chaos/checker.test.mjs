// The checker finds what services do wrong when a failpoint is on, and nothing else; and nothing when all are off.

import assert from 'node:assert/strict';
import {rmSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {STATE_DIR} from '../e2e/support/environment.mjs';
import {Servers} from '../e2e/support/servers.mjs';
import {inTime, until} from '../e2e/support/wait.mjs';
import {check, verdictText} from './check.mjs';
import {FailpointSet} from './failpoint_set.mjs';
import {History} from './history.mjs';
import {Load} from './load.mjs';
import {untilQuiet} from './quiet.mjs';
import {Random} from './random.mjs';

const SEED = 33;
const FLOWS_WITHIN_MS = 20_000;
const APPENDED = 60; // before a run ends
const SEEN_WITHIN_MS = 3000;

const PRODUCTION = {manager: {name: 'event-store-manager'}, api: {name: 'event-store-api'}};
const faultyManager = (failpoints) => ({...PRODUCTION, manager: {name: 'event-store-manager-failpoints', failpoints}});
const faultyApi = (failpoints) => ({...PRODUCTION, api: {name: 'event-store-api-failpoints', failpoints}});

describe('the checker finds', {concurrency: 3}, () => {
  const directory = path.join(STATE_DIR, 'checker');
  let servers;

  before(async () => {
    servers = await Servers.start(path.join(directory, 'servers'));
  });

  after(async () => {
    await servers?.end();
    setTimeout(() => process.exit(), 2000).unref(); // what a failed test has left behind ends here
  });

  // The verdict on a load during which `meanwhile(set, load)` happens.
  const run = async (name, executables, meanwhile = async () => {}) => {
    const state = path.join(directory, name);
    rmSync(state, {recursive: true, force: true});
    const set = await FailpointSet.start(servers, name, state, executables);
    try {
      const account = path.join(state, 'history');
      const history = History.open(account, 'load');
      const load = await Load.start(set, history, new Random(SEED));
      await load.flows(FLOWS_WITHIN_MS);
      await meanwhile(set, load);
      await until('enough is appended', () => load.figures.appended >= APPENDED, {within: FLOWS_WITHIN_MS});
      await load.finish(FLOWS_WITHIN_MS);
      const quiet = await untilQuiet(set.checked);
      const atEnd = () => load.followers.every((follower) => follower.position >= quiet.head);
      await until('all have come to the end', atEnd, {within: SEEN_WITHIN_MS}).catch(() => {}); // the checker's to say
      await load.end();
      history.close();
      assert.deepEqual(load.errors, []);
      return await check({directory: account, set: set.checked, quiet});
    } finally {
      set.end();
    }
  };

  const finds = (verdict, invariant, pattern) => {
    const violated = verdict.invariants.filter((one) => !one.holds);
    assert.deepEqual(violated.map((one) => one.name), [invariant], verdictText(verdict));
    assert.match(violated[0].violations[0].what, pattern);
  };

  // Its failpoint kills manager-1, and manager-2 takes over.
  const killed = async (set, load) => {
    const manager = set.services.get('manager-1');
    assert.equal((await inTime('manager-1 is dead', manager.exited, FLOWS_WITHIN_MS)).signal, 'SIGKILL');
    await load.flows(FLOWS_WITHIN_MS);
  };

  test('nothing where no failpoint is on, though a manager is killed; and no other executable knows of them', async () => {
    const all = 'ack_before_commit=on,before_commit=kill@20,cursor_apart=on,before_cursor=kill@3,' +
      'relay_without_confirm=on,head_after_rows=slow';
    const verdict = await run('none', {
      manager: {...PRODUCTION.manager, failpoints: all}, api: {...PRODUCTION.api, failpoints: all}},
    async (set, load) => {
      const endBurst = await load.burst('poison', new Random(SEED));
      await set.services.get('manager-1').kill();
      await load.flows(FLOWS_WITHIN_MS);
      endBurst();
    });
    assert.ok(verdict.holds, verdictText(verdict));
    for (const {name, checked} of verdict.invariants) assert.ok(checked > 0, `${name}: nothing was checked`);
  });

  test('events that are lost because they were acked before their commit, and the manager was killed', async () => {
    finds(await run('acked', faultyManager('ack_before_commit=on,before_commit=kill@40'), killed), 'confirmed', /^lost/);
  });

  test('the gap that a reader has who goes on at a head that is newer than what he has read', async () => {
    finds(await run('skipped', faultyApi('head_after_rows=slow')), 'streams', /it never saw|and no further/);
  });

  test('a projection that counts twice because its cursor was not written with it', async () => {
    finds(await run('twice', faultyManager('cursor_apart=on,before_cursor=kill@10'), killed), 'projections',
      /has folded \d+ events, .* but of the log it should be \d+/);
  });

  test('an append that is never published because the relay did not wait for the confirm', async () => {
    finds(await run('unpublished', faultyManager('relay_without_confirm=on@5')), 'bus', /and never published/);
  });
});
