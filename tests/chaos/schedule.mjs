// Which faults, in which order, how long, against what: decided by the seed alone, on every machine the same. How
// many of them a run has time for is the machine's matter.

import {FAULTS} from './faults.mjs';
import {Random} from './random.mjs';

const TWO_AT_ONCE = 0.3;
const MOST_APART_S = 3; // the second begins so much later at most
const REST_S = [1, 5];

// How often a kind is in a deck of those that were chosen.
const COPIES = new Map([['kill', 3], ['freeze', 3], ['corrupt', 2], ['half_open', 2], ['clock_jump', 2]]);

// Kinds whose every target is hit before anything else is, so that a short run has them all.
const FIRST = ['kill', 'kill_postgres', 'kill_rabbitmq'];

// Endless: {first: whether it is one of those that a run must have, rest: seconds before it,
// faults: [{kind, target, after, seconds, seed}]}; `after`: seconds from the first one's beginning.
export function* schedule(seed, kinds) {
  const random = new Random(seed);
  const cards = dealt(kinds, random);
  const targets = new Map(kinds.map((kind) => [kind, endless(() => random.shuffled(FAULTS.get(kind).targets))]));
  const begun = (kind, target, after) => {
    const [least, most] = FAULTS.get(kind).seconds;
    const tenths = random.between(least * 10, most * 10);
    return {kind, target, after, seconds: tenths / 10, seed: random.between(0, 2 ** 32)};
  };
  for (const {kind, target: fixed, first} of cards) {
    const target = fixed ?? targets.get(kind).next().value;
    const faults = [begun(kind, target, 0)];
    if (random.chance(TWO_AT_ONCE)) {
      const other = random.pick(kinds);
      const second = random.pick(FAULTS.get(other).targets);
      const after = random.between(0, MOST_APART_S * 10) / 10;
      if (!meet(kind, target, other, second)) faults.push(begun(other, second, after));
    }
    yield {first, rest: random.between(REST_S[0] * 10, REST_S[1] * 10) / 10, faults};
  }
}

function* dealt(kinds, random) {
  const first = FIRST.filter((kind) => kinds.includes(kind))
    .flatMap((kind) => FAULTS.get(kind).targets.map((target) => ({kind, target, first: true})));
  yield* random.shuffled(first);
  yield* endless(() => random.shuffled(kinds.flatMap((kind) =>
    Array.from({length: COPIES.get(kind) ?? 1}, () => ({kind, first: false})))));
}

function* endless(deck) {
  for (;;) yield* deck();
}

function meet(kind, target, other, second) {
  const touched = FAULTS.get(kind).touches(target);
  return FAULTS.get(other).touches(second).some((each) => touched.includes(each));
}
