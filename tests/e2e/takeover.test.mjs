// Bridges die at each step of a task, and one is stopped for longer than its leases last: others go on with what they
// had, and the one that wakes up writes nothing.

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {BridgeSet} from './support/bridge.mjs';
import {FaultedTasks} from './support/faulted_tasks.mjs';
import {pause, until} from './support/wait.mjs';

// Where a bridge is killed exactly (libs/base/failpoint.h).
const FAILPOINTS = ['before_accept', 'before_first_input', 'before_result', 'at_checkpoint', 'before_resume', 'in_recovery'];

describe('bridges that are replaced', () => {
  let bridges, tasks, killed, stopped, lastFault;
  const victims = [];

  before(async () => {
    bridges = await BridgeSet.start('takeover');
    tasks = new FaultedTasks(bridges);
    // As many at once as it gets below: what comes after is another's.
    killed = await bridges.bridge('killed', {GOD33_LETTA_MAX_SESSIONS: '3'});
  });

  after(() => bridges?.end());

  test('a bridge is killed and another one stopped, each with tasks at every step', async () => {
    const steps = ['answering', 'after_effect', 'calling'];
    await tasks.at('paused');
    (await tasks.at(...steps)).calling.mayBeUnknown = true;
    await killed.kill();
    stopped = await bridges.bridge('stopped', {GOD33_LETTA_MAX_SESSIONS: '3'});
    const held = await tasks.at(...steps);
    held.calling.mayBeUnknown = true;
    stopped.tasks = Object.values(held);
    stopped.signal('SIGSTOP');
    await tasks.answer();
  });

  test(`bridges are killed exactly ${FAILPOINTS.join(', ')}`, async (t) => {
    for (const failpoint of FAILPOINTS) {
      victims.push(await bridges.bridge(failpoint, {GOD33_FAILPOINTS: `${failpoint}=kill@1`, GOD33_LETTA_MAX_SESSIONS: '1'},
        'letta-bridge-failpoints'));
    }
    const began = Date.now();
    const alive = () => victims.filter((victim) => victim.running);
    const handOff = async () => { (await tasks.handOff('paused')).mayBeUnknown = true; };
    for (let i = 0; i < 3; ++i) await handOff();
    let handedOff = Date.now();
    await until('all have reached their failpoint', async () => {
      // Who is left needs a task that comes to its failpoint.
      if (Date.now() - handedOff > 5000) {
        await handOff();
        handedOff = Date.now();
      }
      await tasks.answer();
      return alive().length === 0;
    }, {within: 60_000, every: 250}).catch((error) => {
      assert.fail(`${error.message}: ${alive().map((victim) => victim.environment.GOD33_FAILPOINTS)}`);
    });
    lastFault = Date.now();
    for (const victim of victims) assert.equal(victim.exit.signal, 'SIGKILL');
    t.diagnostic(`after ${lastFault - began} ms all are dead`);
  });

  test('a successor completes all of it', async (t) => {
    await bridges.bridge('successor', {GOD33_LETTA_STALL_SECONDS: '12'});
    await tasks.finish(lastFault);
    t.diagnostic(`${tasks.all.length} tasks completed ${Date.now() - lastFault} ms after the last fault`);
  });

  test('the one that was stopped wakes up, writes nothing, and is of use again', async () => {
    const head = () => bridges.database.value('SELECT max(position) FROM event_ids');
    await until('the log is at rest', async () => {
      const before = await head();
      await pause(500);
      return before === await head();
    });
    const before = await head();
    stopped.signal('SIGCONT');
    await until('it knows that its leases are lost', async () =>
      (await stopped.metric('god33_leases_lost_total')) >= stopped.tasks.length, {within: 20_000});
    assert.equal(await head(), before);
    await stopped.untilHealthy();
  });

  test('every task was done once, and nobody who was replaced wrote', () => tasks.check());
});
