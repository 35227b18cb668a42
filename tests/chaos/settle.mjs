// After the last fault: nothing new is sent, and all that was sent has to be answered, stored, folded, relayed and
// shown soon.

import {inTime, until} from '../e2e/support/wait.mjs';
import {untilQuiet} from './quiet.mjs';

export const SETTLED_WITHIN_MS = 30_000;
const AT_LEAST_MS = 1000; // for what comes last

// `since`: ms since 1970 of the last fault's end. Returns {quiet (see quiet.mjs), stuck: what else is}.
export async function settle(set, load, since) {
  const stuck = [];
  const left = () => Math.max(AT_LEAST_MS, since + SETTLED_WITHIN_MS - Date.now());
  const expect = async (what, promise) => {
    try {
      await promise;
    } catch (error) {
      stuck.push(`${what}: ${error.message}`);
    }
  };
  await expect('producers and appenders', load.finish(left()));
  const quiet = await untilQuiet(set, {since, within: SETTLED_WITHIN_MS});
  // Who does not come to the end is the checker's to report.
  const atEnd = () => load.followers.every((follower) => follower.position >= quiet.head);
  await until('all clients are at the end of the log', atEnd, {within: left()}).catch(() => {});
  const allRelayed = async () => load.relayed >= await lastAppended(set);
  await until('the consumer has all that was relayed', allRelayed, {within: left()}).catch(() => {});
  return {quiet, stuck};
}

function lastAppended(set) {
  return set.admin.value('SELECT coalesce(max(position), 0) FROM events WHERE appended');
}
