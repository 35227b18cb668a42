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
// What nobody may do to the tables, and what finds it.
const TAMPERING = `
  DELETE FROM events WHERE position = (
    SELECT b.position FROM events AS a JOIN events AS b ON b.position = a.position + 1
      AND b.recorded_at = a.recorded_at AND b.aggregate = a.aggregate
    LIMIT 1);
  UPDATE events SET payload = '{}', recorded_at = (SELECT min(recorded_at) FROM events), appended = true
    WHERE position = (SELECT max(position) FROM events WHERE NOT appended);
  UPDATE aggregates SET version = version + 1 WHERE aggregate = (SELECT min(aggregate) FROM aggregates);
  DELETE FROM event_edges WHERE child_position = (SELECT max(child_position) FROM event_edges);
  DELETE FROM memberships WHERE kind = 'w' AND position = (
    SELECT max(position) FROM events WHERE workflow_id IS NOT NULL);
  UPDATE workflow_state SET version = version + 1;
  UPDATE dead_letters SET reason = 'other'`;
const FOUND = ['confirmed', 'once', 'content', 'order', 'bulks', 'aggregates', 'dead_letters', 'causation', 'memberships',
  'streams', 'bus', 'projections'];

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

  // The verdict on a load during which `meanwhile(set, load)` happens. `tampering`: SQL after which there is another.
  const run = async (name, executables, meanwhile = async () => {}, tampering = null) => {
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
      const verdict = await check({directory: account, set: set.checked, quiet});
      if (tampering === null) return verdict;
      await set.admin.rows(tampering);
      return [verdict, await check({directory: account, set: set.checked, quiet})];
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

  test('nothing in production, which knows no failpoint, though a manager is killed; then what is changed by hand', async () => {
    const all = 'ack_before_commit=on,before_commit=kill@20,cursor_apart=on,before_cursor=kill@3,' +
      'relay_without_confirm=on,head_after_rows=slow';
    const [verdict, tampered] = await run('none', {
      manager: {...PRODUCTION.manager, failpoints: all}, api: {...PRODUCTION.api, failpoints: all}},
    async (set, load) => {
      const endBurst = await load.burst('poison', new Random(SEED));
      await set.services.get('manager-1').kill();
      await load.flows(FLOWS_WITHIN_MS);
      endBurst();
    }, TAMPERING);
    assert.ok(verdict.holds, verdictText(verdict));
    for (const {name, checked} of verdict.invariants) assert.ok(checked > 0, `${name}: nothing was checked`);
    const violated = tampered.invariants.filter((one) => !one.holds).map((one) => one.name);
    assert.deepEqual(violated, FOUND, verdictText(tampered));
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
