// What a seed decides.

import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {SERVICES} from './chaos_set.mjs';
import {FAULTS} from './faults.mjs';
import {schedule} from './schedule.mjs';

const all = [...FAULTS.keys()];

function slots(seed, count, kinds = all) {
  const result = [];
  for (const slot of schedule(seed, kinds)) {
    result.push(slot);
    if (result.length === count) return result;
  }
}

describe('the schedule', () => {
  test('is the same for the same seed, and another for another', () => {
    assert.deepEqual(slots(7, 500), slots(7, 500));
    assert.notDeepEqual(slots(7, 50), slots(8, 50));
    assert.deepEqual(slots(Number.MAX_SAFE_INTEGER, 50), slots(Number.MAX_SAFE_INTEGER, 50));
  });

  test('begins with kill -9 of every service and of both servers', () => {
    for (const seed of [0, 1, 2, 33]) {
      const begin = slots(seed, SERVICES.length + 2);
      assert.ok(begin.every((slot) => slot.first));
      const killed = begin.map(({faults: [{kind, target}]}) => `${kind} ${target}`).sort();
      assert.deepEqual(killed,
        ['kill_postgres postgres', 'kill_rabbitmq rabbitmq', ...SERVICES.map((name) => `kill ${name}`)].sort());
      assert.ok(!slots(seed, 100).slice(SERVICES.length + 2).some((slot) => slot.first));
    }
  });

  test('has every fault against every target in the end, within its times', () => {
    const seen = new Set();
    for (const {rest, faults} of slots(5, 2000)) {
      assert.ok(rest >= 1 && rest <= 5);
      for (const {kind, target, seconds, after} of faults) {
        seen.add(`${kind} ${target}`);
        const [least, most] = FAULTS.get(kind).seconds;
        assert.ok(seconds >= least && seconds <= most && after >= 0 && after <= 3);
      }
    }
    assert.deepEqual([...seen].sort(), all.flatMap((kind) =>
      [...new Set(FAULTS.get(kind).targets)].map((target) => `${kind} ${target}`)).sort());
  });

  test('never does two things to one target at once', () => {
    const both = slots(9, 2000).filter(({faults}) => faults.length === 2);
    assert.ok(both.length > 300);
    for (const {faults: [one, other]} of both) {
      const touched = FAULTS.get(one.kind).touches(one.target);
      assert.ok(!FAULTS.get(other.kind).touches(other.target).some((each) => touched.includes(each)));
    }
  });

  test('has only the kinds that were chosen', () => {
    const kinds = new Set(slots(3, 200, ['delay', 'kill']).flatMap(({faults}) => faults.map(({kind}) => kind)));
    assert.deepEqual([...kinds].sort(), ['delay', 'kill']);
  });
});
