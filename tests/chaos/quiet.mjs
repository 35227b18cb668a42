// Whether anything in a set is stuck: waits, is behind, or is held by somebody who no longer lives.

import {Database} from '../e2e/support/database.mjs';
import {QUEUE} from '../e2e/support/events.mjs';
import {pause} from '../e2e/support/wait.mjs';
import {Invariant} from './invariant.mjs';

const WITHIN_MS = 30_000;
const EVERY_MS = 250;
const FOLLOWERS = ['outbox', 'projector'];

// Waits until nothing is left to do in `set` (see check.mjs), at most until `since` + `within` (ms since 1970), but
// looks at least once. Returns {quiet, ms (since `since`), head (the log's end), left (what is still to do, as
// sentences)}.
export async function untilQuiet(set, {since = Date.now(), within = WITHIN_MS} = {}) {
  for (;;) {
    const {head, left} = await look(set);
    const ms = Date.now() - since;
    if (left.length === 0 || ms >= within) return {quiet: left.length === 0, ms, head, left};
    await pause(EVERY_MS);
  }
}

export function checkQuiet({ms, left}) {
  const stuck = new Invariant('quiet', `${WITHIN_MS / 1000} s after the last fault and the last attempt nothing is left ` +
    'to do, and all are well');
  stuck.expect(left.length === 0, () => `after ${(ms / 1000).toFixed(1)} s: ${left[0]}`);
  for (const what of left.slice(1)) stuck.violate(what);
  return stuck;
}

async function look(set) {
  const left = [];
  let head = 0;
  try {
    head = await lookAtLog(set, left);
    // It takes a second: only when all else is well.
    if (left.length === 0) await lookAtQueue(set, left);
    for (const service of set.services) await lookAtService(service, left);
  } catch (error) {
    left.push(error.message);
  }
  return {head, left};
}

async function lookAtLog(set, left) {
  const {head, uncopied, late, adoptions, cursors} = await new Database(set.urls.GOD33_READER_DATABASE_URL).row(`
    SELECT (SELECT coalesce(max(position), 0) FROM event_ids) AS head,
      (SELECT count(*) FROM dead_letters WHERE copied_at IS NULL) AS uncopied,
      (SELECT count(*) FROM late_parents) AS late, (SELECT count(*) FROM adoptions) AS adoptions,
      (SELECT json_agg(json_build_object('name', name, 'position', position, 'holder', holder,
        'held', expires_at > clock_timestamp())) FROM cursors) AS cursors`);
  if (uncopied > 0) left.push(`${uncopied} dead letters have no copy on the bus`);
  if (late + adoptions > 0) left.push(`${late} late parents and ${adoptions} adoptions are not worked off`);
  for (const name of FOLLOWERS) {
    const cursor = (cursors ?? []).find((one) => one.name === name);
    if (!cursor) left.push(`${name} has never followed the log`);
    else lookAtCursor(cursor, head, set, left);
  }
  return head;
}

function lookAtCursor({name, position, holder, held}, head, set, left) {
  if (position !== head) left.push(`${name} is at position ${position} of ${head}`);
  const pid = Number(/ pid (\d+)$/.exec(holder)?.[1]);
  const lives = [...set.services].some((service) => service.running && service.pid === pid);
  if (!held) left.push(`the lease of ${name} has run out; '${holder}' had it`);
  else if (!lives) left.push(`the lease of ${name} is held by '${holder}', which is no process of this set that runs`);
}

async function lookAtQueue(set, left) {
  const host = decodeURIComponent(new URL(set.urls.RABBITMQ_URL).pathname.slice(1)) || '/';
  const text = await set.servers.rabbitmqctl('--quiet', '--formatter', 'json', 'list_queues', '--vhost', host, 'name',
    'messages_ready', 'messages_unacknowledged', 'consumers');
  const queue = JSON.parse(text).find(({name}) => name === QUEUE);
  if (!queue) {
    left.push(`there is no ${QUEUE}`);
    return;
  }
  const {messages_ready: ready, messages_unacknowledged: unacked, consumers} = queue;
  if (ready + unacked > 0) left.push(`${ready} messages wait in ${QUEUE}, ${unacked} more are unacked`);
  if (consumers === 0) left.push(`nobody consumes ${QUEUE}`);
}

async function lookAtService(service, left) {
  const {code, components} = await service.health();
  if (code !== 200) left.push(`${service.name} (pid ${service.pid}) is not well: ${JSON.stringify(components)}`);
}
