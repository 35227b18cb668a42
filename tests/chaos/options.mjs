// What a run is asked for on the command line.

import {randomInt} from 'node:crypto';
import {parseArgs} from 'node:util';
import {FAULTS} from './faults.mjs';

export const DEFAULT_MINUTES = 3;
const MOST_MINUTES = 7 * 24 * 60;

export class UsageError extends Error {}

// {seed, minutes, kinds, all (of the kinds), keep, json, list}. Throws UsageError.
export function readOptions(args) {
  const {values} = parse(args);
  return {
    seed: values.seed === undefined ? randomInt(2 ** 32) : seedOf(values.seed),
    minutes: values.minutes === undefined ? DEFAULT_MINUTES : minutesOf(values.minutes),
    kinds: values.faults === undefined ? [...FAULTS.keys()] : kindsOf(values.faults),
    all: values.faults === undefined,
    keep: values.keep ?? false,
    json: values.json ?? false,
    list: values.list ?? false,
  };
}

function parse(args) {
  try {
    return parseArgs({args, options: {
      seed: {type: 'string'}, minutes: {type: 'string'}, faults: {type: 'string'},
      keep: {type: 'boolean'}, json: {type: 'boolean'}, list: {type: 'boolean'},
    }});
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function seedOf(text) {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(seed)) {
    throw new UsageError(`--seed: a whole number from 0 to 2^53 - 1, not "${text}"`);
  }
  return seed;
}

function minutesOf(text) {
  const minutes = Number(text);
  if (!(minutes > 0 && minutes <= MOST_MINUTES)) {
    throw new UsageError(`--minutes: a number above 0, at most ${MOST_MINUTES}, not "${text}"`);
  }
  return minutes;
}

// In the order of the catalogue: the order in which they are asked for changes nothing.
function kindsOf(text) {
  const asked = new Set(text.split(','));
  for (const name of asked) {
    if (FAULTS.has(name)) continue;
    throw new UsageError(`--faults: there is no "${name}"; there are ${[...FAULTS.keys()].join(', ')}`);
  }
  return [...FAULTS.keys()].filter((name) => asked.has(name));
}
