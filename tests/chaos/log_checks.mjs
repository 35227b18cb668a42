// The stored log against the account of those who wrote it.

import {FLAG, NONE} from './ledger.mjs';
import {Invariant} from './invariant.mjs';

// Reads the store into account.ledger: where each event is, what is dead. Returns the invariants.
export async function checkLog(account, store) {
  const checks = {
    confirmed: new Invariant('confirmed', 'what was confirmed and not returned is stored or a dead letter, and ' +
      'what is stored or a dead letter was attempted'),
    once: new Invariant('once', 'an event is stored once, the same one under its id and in its partition'),
    content: new Invariant('content', 'an event is stored as it was attempted'),
    order: new Invariant('order', 'positions are 1, 2, 3, ... and recorded_at never goes back'),
    bulks: new Invariant('bulks', 'a bulk is stored as a whole or not at all, in its order and next to each other'),
    aggregates: new Invariant('aggregates', 'the versions of an aggregate are 1, 2, 3, ..., and an append gets the ' +
      'one after the version it expects'),
    deadLetters: new Invariant('dead_letters', 'poison is set aside with a right reason and its bytes, no more often ' +
      'than it was published, and nothing but poison is'),
    causation: new Invariant('causation', 'edges and orphans are what the events name as their parents'),
    memberships: new Invariant('memberships', 'an event belongs to the workflow that it names, or to those of its causes'),
  };
  await readEvents(account, store, checks);
  await readIds(account, store, checks);
  await readDeadLetters(account, store, checks);
  checkAccount(account, checks);
  await readCausation(account, store, checks);
  await readMemberships(account, store, checks);
  return Object.values(checks);
}

async function readEvents(account, store, {confirmed, once, content, order, aggregates}) {
  const {ledger} = account;
  const versions = new Map();
  let last = {position: 0, recordedAt: -Infinity};
  for await (const event of store.events()) {
    const {id, position, recordedAt} = event;
    const facts = () => ({id, position});
    const row = ledger.add(id);
    const known = confirmed.expect(ledger.has(row, FLAG.attempted),
      () => `position ${position} holds an event that nobody attempted`, facts);
    once.expect(ledger.position[row] === 0,
      () => `the event is stored at position ${ledger.position[row]} and again at ${position}`, facts);
    order.expect(position === last.position + 1, () => `position ${position} follows ${last.position}`, facts);
    order.expect(recordedAt >= last.recordedAt,
      () => `recorded_at goes back by ${last.recordedAt - recordedAt} us at position ${position}`, facts);
    if (known) {
      content.expect(account.hasDigest(row, event.digest),
        () => 'type, time, parents or payload are not what was attempted', facts);
      content.expect(ledger.has(row, event.appended ? FLAG.byCall : FLAG.overBus),
        () => `stored as ${event.appended ? 'appended' : 'published on the bus'}, which was not attempted`, facts);
    }
    ledger.store(row, position);
    if (event.appended) ledger.flags[row] |= FLAG.appended;
    checkVersion(account, event, row, versions, aggregates);
    last = {position, recordedAt};
  }
  await checkAggregates(store, versions, aggregates);
}

function checkVersion(account, {id, position, aggregate, version}, row, versions, aggregates) {
  const {ledger} = account;
  const facts = () => ({id, position, aggregate});
  const attempted = ledger.aggregate[row] === 0 ? null : account.aggregates[ledger.aggregate[row] - 1];
  if (aggregate === null && attempted === null) return;
  if (!aggregates.expect(aggregate === attempted || !ledger.has(row, FLAG.attempted),
    () => `appended to ${attempted}, stored in ${aggregate}`, facts)) return;
  const before = versions.get(aggregate) ?? 0;
  aggregates.expect(version === before + 1, () => `version ${version} of ${aggregate} follows ${before}`, facts);
  versions.set(aggregate, version);
  if (ledger.expects[row] === NONE) return;
  aggregates.expect(account.hasExpected(row, version - 1), () => {
    const confirmed = ledger.has(row, FLAG.confirmed) ? 'confirmed' : 'not confirmed';
    return `appended expecting version ${ledger.expects[row]} of ${aggregate}, ${confirmed}, but it became version ` +
      `${version}: another append with that expectation was accepted, too`;
  }, facts);
}

async function checkAggregates(store, versions, aggregates) {
  for await (const {aggregate, version} of store.aggregates()) {
    const newest = versions.get(aggregate) ?? 0;
    aggregates.expect(version === newest,
      () => `the table says that ${aggregate} has version ${version}, its newest event has ${newest}`);
    versions.delete(aggregate);
  }
  for (const [aggregate, version] of versions) {
    aggregates.violate(`${aggregate} has events up to version ${version}, but is not in the table of aggregates`);
  }
}

async function readIds({ledger}, store, {once}) {
  for await (const {id, position} of store.ids()) {
    const row = ledger.find(id);
    const stored = row === NONE ? 0 : ledger.position[row];
    once.expect(stored === position, () => (stored === 0 ?
      `event_ids has it at position ${position}, but no partition of events has it` :
      `event_ids has it at position ${position}, events at ${stored}`), () => ({id, position}));
    if (row !== NONE) ledger.flags[row] |= FLAG.inIds;
  }
  for (let row = 0; row < ledger.size; ++row) {
    if (ledger.position[row] === 0) continue;
    once.expect(ledger.has(row, FLAG.inIds), () => `events has it at position ${ledger.position[row]}, event_ids has not`,
      () => ({id: ledger.id(row), position: ledger.position[row]}));
  }
}

async function readDeadLetters(account, store, {confirmed, deadLetters}) {
  const {ledger, reasons} = account;
  for await (const {number, bodyId, id, reason, detail, bytes} of store.deadLetters()) {
    const facts = () => ({dead_letter_id: number, id: id ?? bodyId, reason, detail, bytes});
    const poison = ledger.find(bodyId);
    if (poison !== NONE && ledger.has(poison, FLAG.poison)) {
      ledger.flags[poison] |= FLAG.dead;
      ++ledger.deadLetters[poison];
      deadLetters.expect(reasons.get(poison).includes(reason),
        () => `poison was set aside as ${reason}, which is not one of: ${reasons.get(poison).join(', ')}`, facts);
      continue;
    }
    const row = id === null ? NONE : ledger.find(id);
    const attempted = row !== NONE && ledger.has(row, FLAG.attempted);
    confirmed.expect(attempted, () => `dead letter ${number} (${reason}, ${bytes} bytes) is no message that was attempted, ` +
      'or its bytes were changed', facts);
    if (!attempted) continue;
    ledger.flags[row] |= FLAG.dead;
    deadLetters.violate(`a good message was set aside as ${reason}`, facts());
  }
}

// What can be said when both the account and the store are known.
function checkAccount({ledger}, {confirmed, bulks, deadLetters}) {
  for (let row = 0; row < ledger.size; ++row) {
    const position = ledger.position[row];
    const facts = () => ({id: ledger.id(row), ...(position > 0 && {position})});
    if (ledger.has(row, FLAG.confirmed)) {
      confirmed.expect(position > 0 || ledger.has(row, FLAG.dead), () => 'lost: it was confirmed, but is neither stored ' +
        'nor a dead letter', facts);
    }
    if (ledger.answered[row] > 0 && position > 0) {
      confirmed.expect(ledger.answered[row] === position,
        () => `its append was answered with position ${ledger.answered[row]}, it is stored at ${position}`, facts);
    }
    if (ledger.has(row, FLAG.refused) && ledger.attempts[row] === 1 && !ledger.has(row, FLAG.idConflict)) {
      confirmed.expect(position === 0, () => `its only append was refused, but it is stored at position ${position}`, facts);
    }
    if (ledger.has(row, FLAG.poison)) {
      deadLetters.expect(ledger.deadLetters[row] <= ledger.attempts[row],
        () => `poison was published ${ledger.attempts[row]} times and set aside ${ledger.deadLetters[row]} times`, facts);
    }
    if (ledger.unit[row] > 0) checkPlace(ledger, row, bulks, facts);
  }
}

function checkPlace(ledger, row, bulks, facts) {
  const first = ledger.unit[row] - 1;
  const [begin, position, place] = [ledger.position[first], ledger.position[row], ledger.place[row]];
  const all = () => ({...facts(), bulk: ledger.id(first)});
  const where = (stored) => (stored > 0 ? `at position ${stored}` : 'nowhere');
  const whole = bulks.expect((begin > 0) === (position > 0),
    () => `a part of the bulk is stored: its event 0 ${where(begin)}, its event ${place} ${where(position)}`, all);
  if (!whole) return;
  bulks.expect(position === 0 || position === begin + place,
    () => `event ${place} of a bulk that begins at position ${begin} is at ${position}`, all);
}

async function readCausation({ledger}, store, {causation}) {
  const storedAt = (id) => {
    const row = ledger.find(id);
    return row === NONE ? 0 : ledger.position[row];
  };
  for await (const {position, parents, edges, orphans} of store.causation()) {
    const child = ledger.at(position);
    const facts = () => ({position, id: child === NONE ? null : ledger.id(child)});
    const differ = (kind, expected, found) => {
      const missing = [...expected].filter((parent) => !found.has(parent));
      const surplus = [...found].filter((parent) => !expected.has(parent));
      causation.expect(missing.length + surplus.length === 0, () => `${kind} of position ${position}: ` +
        `missing [${missing.join(', ')}], too many [${surplus.join(', ')}]`, facts);
    };
    const known = parents.map(storedAt);
    differ('edges to parents', new Set(known.filter((at) => at > 0)), new Set(edges));
    differ('orphans', new Set(parents.filter((_, n) => known[n] === 0)), new Set(orphans));
  }
}

// Projections are folds of memberships, so that folding anew does not show what is missing here. Projects keep
// workflows apart: of several that causes offer it need not be all, and of another project's it is none.
async function readMemberships({ledger}, store, {memberships}) {
  for await (const {position, names, offered, fitting, members} of store.memberships()) {
    const row = ledger.at(position);
    const facts = () => ({position, id: row === NONE ? null : ledger.id(row), names, offered, members});
    const allowed = names === null ? offered : [names];
    const surplus = members.filter((workflow) => !allowed.includes(workflow));
    memberships.expect(surplus.length === 0, () => `position ${position} belongs to workflow ${surplus[0]}, which ` +
      `${names === null ? 'none of its causes does' : 'it does not name'}`, facts);
    const wanted = names ?? (fitting.length === 1 ? fitting[0] : null);
    memberships.expect(wanted === null ? fitting.length === 0 || members.length > 0 : members.includes(wanted),
      () => `position ${position} does not belong to workflow ${wanted ?? fitting[0]}, which ` +
        `${names === null ? 'its cause does' : 'it names'}`, facts);
  }
}
