// Judges a log by the history of the load that wrote it: did any fault lose, double or reorder an event?
//
//     const quiet = await untilQuiet(set, {since: end of the last fault});  // quiet.mjs; then the clients have
//     history.close();                                                       // until quiet.head to come to the end
//     const verdict = await check({directory, set, quiet});
//     console.log(verdictText(verdict));
//
// `set`: {urls, servers, services}: the addresses, the servers (e2e/support/servers.mjs) and all services that should
// run (e2e/support/service.mjs).

import {Account} from './account.mjs';
import {entriesOf, writersOf} from './history.mjs';
import {Invariant} from './invariant.mjs';
import {FLAG} from './ledger.mjs';
import {checkLog} from './log_checks.mjs';
import {checkProjections, verifyProjections} from './projection_checks.mjs';
import {checkQuiet, untilQuiet} from './quiet.mjs';
import {checkSights} from './sight_checks.mjs';
import {Store} from './store.mjs';

const MOST_TRACED = 20; // ids
const MOST_ENTRIES = 20; // of one of them

// Returns {holds, invariants, figures, traces}: of each invariant {name, promise, holds, checked, violated (how often),
// violations (the first ones: {what, and ids and positions to look for})}; of the first ids in violations what the
// history has of them. Without `quiet` it waits itself.
export async function check({directory, set, quiet}) {
  const account = Account.read(directory);
  const settled = quiet ?? await untilQuiet(set, {since: account.lastAt});
  return judge(directory, account, {
    settled,
    open: () => Store.open(set.urls.GOD33_READER_DATABASE_URL),
    verify: () => verifyProjections(set),
  });
}

// The same of anything that can be read like a store.
export async function judge(directory, account, {settled, open, verify}) {
  const invariants = [checkQuiet(settled)];
  const figures = {...account.figures, settled_ms: settled.ms, head: settled.head, cut_off_writers: account.cutOff};
  try {
    const store = await open();
    try {
      invariants.push(...await checkLog(account, store));
      Object.assign(figures, countLedger(account.ledger));
      const sights = checkSights(directory, account, figures.head);
      invariants.push(...sights.invariants, await checkProjections(store, verify));
      Object.assign(figures, sights.figures);
    } finally {
      await store.close();
    }
  } catch (error) {
    const checked = new Invariant('checked', 'everything could be checked');
    checked.violate(error.stack);
    invariants.push(checked);
  }
  const verdicts = invariants.map((invariant) => invariant.verdict);
  const holds = verdicts.every((one) => one.holds);
  return {holds, invariants: verdicts, figures, traces: tracesOf(directory, verdicts)};
}

function countLedger(ledger) {
  const counts = {ids: ledger.size, head: 0, stored: 0, dead: 0, appended: 0};
  for (let row = 0; row < ledger.size; ++row) {
    counts.head = Math.max(counts.head, ledger.position[row]);
    counts.stored += ledger.position[row] > 0;
    counts.dead += ledger.has(row, FLAG.dead);
    counts.appended += ledger.has(row, FLAG.appended);
  }
  return counts;
}

// {id: entries}
function tracesOf(directory, verdicts) {
  const ids = verdicts.flatMap(({violations}) => violations.flatMap(({id, missed}) => [id, missed]).filter(Boolean));
  const traces = new Map([...new Set(ids)].slice(0, MOST_TRACED).map((id) => [id, []]));
  if (traces.size === 0) return {};
  for (const [writer, file] of writersOf(directory)) {
    for (const entry of entriesOf(file)) {
      const trace = traces.get(entry.id);
      if (trace && trace.length < MOST_ENTRIES) trace.push({writer, ...entry});
    }
  }
  return Object.fromEntries(traces);
}

// A verdict as people read it: a line for each invariant, and of what does not hold where to look.
export function verdictText({holds, invariants, figures, traces}) {
  const lines = [];
  for (const {name, promise, holds: one, checked, violated, violations} of invariants) {
    lines.push(`${one ? 'holds   ' : 'VIOLATED'}  ${name.padEnd(13)} ${promise} (${checked} checked` +
      `${one ? '' : `, ${violated} violated`})`);
    for (const {what, ...facts} of violations) lines.push(`            ${what} ${JSON.stringify(facts)}`);
  }
  lines.push('', Object.entries(figures).map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', '));
  for (const [id, entries] of Object.entries(traces)) {
    lines.push('', `${id} in the history:`, ...entries.map((entry) => `  ${JSON.stringify(entry)}`));
  }
  lines.push('', holds ? 'HOLDS' : 'DOES NOT HOLD');
  return lines.join('\n');
}
