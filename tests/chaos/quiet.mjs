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
  const told = async (what, looking) => {
    try {
      return await looking;
    } catch (error) {
      left.push(`${what}: ${error.message.trim()}`);
      return 0;
    }
  };
  const head = await told('the log can not be read', lookAtLog(set, left));
  // It takes a second: only when all else is well.
  if (left.length === 0) await told('the broker does not answer', lookAtQueue(set, left));
  // What was in neither of the two when each was looked at may have been on its way from the one to the other.
  if (left.length === 0) {
    const later = await told('the log can not be read', lookAtLog(set, left));
    if (later !== head) left.push(`the log grows: its end was ${head}, and then ${later}`);
  }
  for (const service of set.services) {
    await told(`${service.name} (pid ${service.pid}) does not answer`, lookAtService(service, left));
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

// Asks the quorum queue itself: what lists of queues show of it is up to 5 s old.
async function lookAtQueue(set, left) {
  const host = decodeURIComponent(new URL(set.urls.RABBITMQ_URL).pathname.slice(1)) || '/';
  const answer = await set.servers.rabbitmqctl('eval', `
    {ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"${host}">>, queue, <<"${QUEUE}">>)),
    {ok, #{num_ready_messages := Ready, num_checked_out := Unacked, num_consumers := Consumers}, _} =
      ra:consistent_query(amqqueue:get_pid(Queue), fun rabbit_fifo:overview/1),
    {Ready, Unacked, Consumers}.`);
  const [ready, unacked, consumers] = answer.match(/\d+/g).map(Number);
  if (ready + unacked > 0) left.push(`${ready} messages wait in ${QUEUE}, ${unacked} more are unacked`);
  if (consumers === 0) left.push(`nobody consumes ${QUEUE}`);
}

async function lookAtService(service, left) {
  const {code, components} = await service.health();
  if (code !== 200) left.push(`${service.name} (pid ${service.pid}) is not well: ${JSON.stringify(components)}`);
}
