// The checker on made-up histories and logs: a good one holds, and each invariant has one that breaks it and it alone.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {appendFileSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, describe, test} from 'node:test';
import {Account} from './account.mjs';
import {judge, verdictText} from './check.mjs';
import {bodyId, contentDigest, entriesOf, History, writersOf} from './history.mjs';
import {Ledger, NONE} from './ledger.mjs';

const AGGREGATE = 'task/6f9619ff-8b86-4011-b42d-00c04fc964ff';
const [WORKFLOW, OTHER] = [randomUUID(), randomUUID()];
const CLIENT = 'ws-1';

const event = (fields) => ({event_id: randomUUID(), event_type: 'a.b', timestamp: '2026-01-27T10:00:00.5Z',
  correlation_ids: [], payload: '{"n":1.50}', ...fields});

// A log as store.mjs reads it, held in memory; tests spoil it.
class MadeUpStore {
  rows = []; // of events
  taken = []; // of event_ids
  edges = new Map(); // position: positions
  orphans = new Map(); // position: ids
  versions = new Map();
  letters = [];
  states = [];
  standing = [];
  members = [];

  store(one, fields = {}) {
    const position = this.rows.length + 1;
    const row = {id: one.event_id, position, recordedAt: position, digest: contentDigest(one), appended: false,
      aggregate: null, version: null, parents: one.correlation_ids, ...fields};
    this.rows.push(row);
    this.taken.push({id: row.id, position});
    if (row.aggregate) this.versions.set(row.aggregate, row.version);
    return position;
  }

  setAside(body, reason, id = null) {
    this.letters.push({number: this.letters.length + 1, bodyId: bodyId(Buffer.from(body)), id, reason, detail: '',
      bytes: body.length});
  }

  async* events() { yield* this.rows; }
  async* ids() { yield* this.taken; }
  async* deadLetters() { yield* this.letters; }
  async* aggregates() { for (const [aggregate, version] of this.versions) yield {aggregate, version}; }
  async* projections() { yield* this.states; }
  async* frozen() { yield* this.standing; }
  async* memberships() { yield* this.members; }
  async* causation() {
    for (const {position, parents} of this.rows) {
      yield {position, parents, edges: this.edges.get(position) ?? [], orphans: this.orphans.get(position) ?? []};
    }
  }
  async close() {}
}

describe('the checker', () => {
  let directory, history, store, events, appends, bulk, settled, job;
  const poison = 'no JSON';

  // Two events from the bus, of which the second names the first and one that never came as parents; two appends to
  // an aggregate; a bulk of three; a poison; a client and the bus that saw it all.
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'god33-history-'));
    history = History.open(directory, 'load');
    store = new MadeUpStore();
    settled = {ms: 10, head: 7, left: []};
    job = {state: 'completed', matches: true, checked: '2', differing: '0', differences: [], error: ''};
    const first = event();
    const absent = randomUUID();
    events = [first, event({correlation_ids: [first.event_id, absent]})];
    appends = [event(), event()];
    bulk = [event(), event(), event()];
    const confirm = (one, fields) => {
      const position = store.store(one, fields);
      history.confirmed(one.event_id, fields && {position});
    };
    for (const one of events) {
      history.attempted('amqp', [one]);
      confirm(one);
    }
    store.edges.set(2, [1]);
    store.orphans.set(2, [absent]);
    store.members.push({position: 1, names: WORKFLOW, offered: [], fitting: [], members: [WORKFLOW]},
      {position: 2, names: null, offered: [WORKFLOW, OTHER], fitting: [WORKFLOW], members: [WORKFLOW]});
    appends.forEach((one, n) => {
      history.attempted('append', [one], {aggregate: AGGREGATE, expects: n});
      confirm(one, {appended: true, aggregate: AGGREGATE, version: n + 1});
    });
    history.attempted('bulk', bulk);
    for (const one of bulk) confirm(one, {appended: true});
    history.confirmed(history.attemptedPoison(poison, ['unreadable']));
    store.setAside(poison, 'unreadable');
    store.states.push({projection: 'workflow', id: randomUUID(), live: {version: 2, position: 5},
      counted: {version: 2, position: 5}});
    history.fault('kill', 'event-store-manager').end();
  });

  afterEach(() => rmSync(directory, {recursive: true}));

  // What clients and bus saw of `rows`, in pieces: a client comes back behind the last it saw.
  const see = (rows = store.rows, client = CLIENT) => {
    history.subscribed(client, 0);
    rows.forEach(({position, id}, n) => {
      if (n === 3) {
        history.ended(client, 'UNAVAILABLE');
        history.subscribed(client, rows[n - 1].position);
      }
      history.seen(client, position, id);
    });
  };
  const relay = (rows = store.rows.filter((row) => row.appended)) => {
    for (const {position, id} of rows) history.relayed(id, position);
  };

  const judged = () => judge(directory, Account.read(directory),
    {settled, open: async () => store, verify: async () => job});

  const verdict = async () => {
    see();
    relay();
    history.close();
    return judged();
  };

  // Just this invariant is violated, by something like `pattern`, about this id.
  const violates = async (name, pattern, {id, judging = verdict} = {}) => {
    const result = await judging();
    const violated = result.invariants.filter((one) => !one.holds);
    assert.deepEqual(violated.map((one) => one.name), [name], verdictText(result));
    assert.equal(result.holds, false);
    assert.match(violated[0].violations[0].what, pattern);
    if (id !== undefined) {
      assert.ok(violated[0].violations.some((one) => one.id === id || one.missed === id), verdictText(result));
      assert.ok(result.traces[id].length > 0);
    }
    return result;
  };

  test('finds a good log good', async () => {
    const result = await verdict();
    assert.ok(result.holds, verdictText(result));
    for (const {name, checked} of result.invariants) assert.ok(checked > 0, `${name}: nothing was checked`);
    assert.deepEqual(result.figures, {attempts: 8, poison: 1, confirmed: 8, returned: 0, refused: 0, unknown: 0,
      faults: {kill: 1}, settled_ms: 10, head: 7, cut_off_writers: [], ids: 8, stored: 7, dead: 1, appended: 5,
      stream_clients: 1, connects: 2, seen: 7});
    assert.match(verdictText(result), /^HOLDS$/m);
  });

  test('finds it good whatever became of what was not confirmed', async () => {
    const [stored, lost, returned, refused, again] = [event(), event(), event(), event(), event()];
    for (const one of [stored, lost, returned]) history.attempted('amqp', [one]);
    history.unknown(stored.event_id, 'connection lost');
    history.unknown(lost.event_id, 'nack');
    history.returned(returned.event_id);
    store.store(stored);
    history.attempted('append', [refused], {aggregate: AGGREGATE, expects: 1});
    history.refused(refused.event_id, 'VERSION_CONFLICT');
    // Refused first, and stored when it was tried again with the right version.
    history.attempted('append', [again], {aggregate: AGGREGATE, expects: 0});
    history.refused(again.event_id, 'VERSION_CONFLICT');
    history.attempted('append', [again], {aggregate: AGGREGATE, expects: 2});
    const position = store.store(again, {appended: true, aggregate: AGGREGATE, version: 3});
    history.confirmed(again.event_id, {position});
    const result = await verdict();
    assert.ok(result.holds, verdictText(result));
  });

  describe('confirmed', () => {
    test('an event that was confirmed is lost', async () => {
      const lost = event();
      history.attempted('amqp', [lost]);
      history.confirmed(lost.event_id);
      await violates('confirmed', /^lost/, {id: lost.event_id});
    });

    test('poison that was confirmed is lost', async () => {
      const id = history.attemptedPoison('other', ['unreadable']);
      history.confirmed(id);
      await violates('confirmed', /^lost/, {id});
    });

    test('an event that nobody attempted is stored', async () => {
      store.store(event());
      await violates('confirmed', /position 8 holds an event that nobody attempted/);
    });

    test('a dead letter holds what nobody attempted', async () => {
      store.setAside('phantom', 'unreadable');
      await violates('confirmed', /dead letter 2 \(unreadable, 7 bytes\) is no message that was attempted/);
    });

    test('an append was answered with another position', async () => {
      history.confirmed(appends[0].event_id, {position: 4});
      await violates('confirmed', /answered with position 4, it is stored at 3/, {id: appends[0].event_id});
    });

    test('an append that was refused is stored', async () => {
      const refused = event();
      history.attempted('append', [refused]);
      history.refused(refused.event_id, 'INVALID_ARGUMENT');
      store.store(refused, {appended: true});
      await violates('confirmed', /only append was refused, but it is stored at position 8/, {id: refused.event_id});
    });
  });

  describe('once', () => {
    test('an event is stored twice', async () => {
      store.store(events[0]);
      store.taken.pop();
      see(store.rows.slice(0, 7));
      history.seen(CLIENT, 8, events[0].event_id);
      relay();
      history.close();
      const {invariants} = await judged();
      const once = invariants.find(({name}) => name === 'once');
      assert.match(once.violations[0].what, /stored at position 1 and again at 8/);
    });

    test('an id is taken by an event that is in no partition', async () => {
      store.taken.push({id: randomUUID(), position: 8});
      await violates('once', /event_ids has it at position 8, but no partition/);
    });

    test('an event has no id taken', async () => {
      store.taken.shift();
      await violates('once', /events has it at position 1, event_ids has not/, {id: events[0].event_id});
    });

    test('both tables give it another position', async () => {
      store.taken[0].position = 9;
      await violates('once', /event_ids has it at position 9, events at 1/, {id: events[0].event_id});
    });
  });

  describe('content', () => {
    for (const [what, change] of Object.entries({
      'a digit of the payload': {payload: '{"n":1.5}'},
      'the type': {event_type: 'a.c'},
      'a microsecond': {timestamp: '2026-01-27T10:00:00.500001Z'},
      'a parent': {correlation_ids: [randomUUID()]},
    })) {
      test(`${what} is another`, async () => {
        store.rows[0].digest = contentDigest({...events[0], ...change});
        await violates('content', /not what was attempted/, {id: events[0].event_id});
      });
    }

    test('what was published is stored as appended', async () => {
      store.rows[0].appended = true;
      await violates('content', /stored as appended, which was not attempted/, {id: events[0].event_id});
    });

    test('one of two contents that were attempted under an id is right', async () => {
      const other = {...events[0], payload: '{}'};
      history.attempted('amqp', [other]);
      store.rows[0].digest = contentDigest(other);
      assert.ok((await verdict()).holds);
    });
  });

  describe('order', () => {
    test('a position is left out', async () => {
      const last = store.rows.at(-1);
      const late = event();
      history.attempted('amqp', [late]);
      store.store(late, {position: 9, recordedAt: last.recordedAt});
      store.taken.at(-1).position = 9;
      const {invariants} = await verdict(); // the client has a gap, too
      assert.deepEqual(invariants.filter((one) => !one.holds).map((one) => one.name), ['order', 'streams']);
    });

    test('recorded_at goes back', async () => {
      store.rows[5].recordedAt = 1;
      await violates('order', /recorded_at goes back by 4 us at position 6/, {id: bulk[1].event_id});
    });
  });

  describe('bulks', () => {
    test('a part is stored', async () => {
      const parts = [event(), event()];
      history.attempted('bulk', parts);
      store.store(parts[1], {appended: true});
      await violates('bulks', /a part of the bulk is stored: its event 0 nowhere, its event 1 at position 8/,
        {id: parts[1].event_id});
    });

    test('its events are not next to each other', async () => {
      const [a, between, b] = [event(), event(), event()];
      history.attempted('bulk', [a, b]);
      history.attempted('amqp', [between]);
      for (const one of [a, between, b]) store.store(one, {appended: one !== between});
      await violates('bulks', /event 1 of a bulk that begins at position 8 is at 10/, {id: b.event_id});
    });
  });

  describe('aggregates', () => {
    test('a version is left out', async () => {
      const next = event();
      history.attempted('append', [next], {aggregate: AGGREGATE, expects: 3});
      store.store(next, {appended: true, aggregate: AGGREGATE, version: 4});
      await violates('aggregates', /version 4 of .* follows 2/, {id: next.event_id});
    });

    test('two appends that expect the same version are both confirmed', async () => {
      const next = event();
      history.attempted('append', [next], {aggregate: AGGREGATE, expects: 1});
      const position = store.store(next, {appended: true, aggregate: AGGREGATE, version: 3});
      history.confirmed(next.event_id, {position});
      await violates('aggregates', /expecting version 1 .* confirmed, but it became version 3/, {id: next.event_id});
    });

    test('the table says otherwise', async () => {
      store.versions.set(AGGREGATE, 3);
      await violates('aggregates', /the table says that .* has version 3, its newest event has 2/);
    });

    test('the table lacks it', async () => {
      store.versions.clear();
      await violates('aggregates', /is not in the table/);
    });

    test('it was appended to another', async () => {
      const next = event();
      history.attempted('append', [next], {aggregate: AGGREGATE});
      store.store(next, {appended: true});
      await violates('aggregates', /appended to task.*, stored in null/, {id: next.event_id});
    });
  });

  describe('causation', () => {
    test('an edge is missing', async () => {
      store.edges.clear();
      await violates('causation', /edges to parents of position 2: missing \[1\]/, {id: events[1].event_id});
    });

    test('an orphan was not told that its parent came', async () => {
      store.edges.clear();
      store.orphans.get(2).push(events[0].event_id);
      await violates('causation', /edges to parents of position 2: missing \[1\]/, {id: events[1].event_id});
    });

    test('there is an edge that no event names', async () => {
      store.edges.set(4, [3]);
      await violates('causation', /edges to parents of position 4: missing \[\], too many \[3\]/,
        {id: appends[1].event_id});
    });
  });

  describe('memberships', () => {
    test('an event is no member of the workflow that it names', async () => {
      store.members[0].members = [];
      await violates('memberships', /position 1 does not belong to workflow .*, which it names/, {id: events[0].event_id});
    });

    test("an event is no member of its cause's workflow", async () => {
      store.members[1].members = [];
      await violates('memberships', /position 2 does not belong to workflow .*, which its cause does/,
        {id: events[1].event_id});
    });

    test('an event is a member of a workflow that nothing makes it', async () => {
      store.members[1].members.push(randomUUID());
      await violates('memberships', /position 2 belongs to workflow .*, which none of its causes does/);
    });

    test('one of several workflows is enough, and none of another project is', async () => {
      store.members.push({position: 3, names: null, offered: [WORKFLOW, OTHER], fitting: [WORKFLOW, OTHER], members: [OTHER]},
        {position: 4, names: null, offered: [WORKFLOW], fitting: [], members: []});
      assert.ok((await verdict()).holds);
    });
  });

  describe('dead letters', () => {
    test('poison was set aside for a wrong reason', async () => {
      store.letters[0].reason = 'store_failed';
      await violates('dead_letters', /set aside as store_failed, which is not one of: unreadable/);
    });

    test('poison was set aside twice', async () => {
      store.setAside(poison, 'unreadable');
      await violates('dead_letters', /published 1 times and set aside 2 times/);
    });

    test('the bytes were changed', async () => {
      store.letters = [];
      store.setAside(`${poison} `, 'unreadable');
      await violates('confirmed', /or its bytes were changed/);
    });

    test('a good message was set aside', async () => {
      const good = event();
      history.attempted('amqp', [good]);
      history.confirmed(good.event_id);
      store.setAside(JSON.stringify(good), 'store_failed', good.event_id);
      await violates('dead_letters', /a good message was set aside as store_failed/, {id: good.event_id});
    });
  });

  describe('projections', () => {
    test('an event was counted twice', async () => {
      store.states[0].live.version = 3;
      await violates('projections', /workflow .* has folded 3 events, .* but of the log it should be 2 events/);
    });

    test('folded anew they are others', async () => {
      Object.assign(job, {matches: false, differing: '1', differences: [
        {table: 'workflow_state', id: randomUUID(), difference: 'changed', column: 'current_phase', live: 'a', folded: 'b'}]});
      await violates('projections', /workflow_state .* is changed .*: current_phase is a, and becomes b/);
    });

    test('folding anew has failed', async () => {
      Object.assign(job, {state: 'failed', error: 'no space left'});
      await violates('projections', /folding anew has failed: no space left/);
    });

    test('one stands still', async () => {
      store.standing.push({projection: 'session', id: randomUUID(), position: 3, error: 'too long'});
      await violates('projections', /stands still: too long/);
    });
  });

  describe('streams', () => {
    const sees = (rows) => async () => {
      see(rows);
      relay();
      history.close();
      return judged();
    };

    test('a client misses an event where it comes back', async () => {
      await violates('streams', /saw position 5 after 3: it never saw 4/,
        {judging: sees(store.rows.filter((row) => row.position !== 4)), id: appends[1].event_id});
    });

    test('a client sees an event twice', async () => {
      await violates('streams', /saw position 3 after 3: twice, or out of order/,
        {judging: sees(store.rows.toSpliced(3, 0, store.rows[2])), id: appends[0].event_id});
    });

    test('a client sees events in another order', async () => {
      await violates('streams', /saw position 6 after 4: it never saw 5/,
        {judging: sees([...store.rows.slice(0, 4), store.rows[5], store.rows[4], store.rows[6]])});
    });

    test('a client sees another event', async () => {
      const other = {...store.rows[2], id: events[0].event_id};
      await violates('streams', /saw another event at position 3/, {judging: sees(store.rows.with(2, other))});
    });

    test('a client does not come to the end', async () => {
      await violates('streams', /came to position 6 of 7 and no further, in 2 connections/,
        {judging: sees(store.rows.slice(0, 6))});
    });

    test('a client that leaves, or whose writer dies, needs no end', async () => {
      see(store.rows.slice(0, 6));
      history.left(CLIENT);
      const dying = History.open(directory, 'worker');
      dying.subscribed('grpc-1', 3);
      dying.seen('grpc-1', 4, store.rows[3].id);
      appendFileSync(path.join(directory, 'worker.jsonl'), '{"at":17952');
      relay();
      history.close();
      const result = await judged();
      assert.ok(result.holds, verdictText(result));
      assert.deepEqual(result.figures.cut_off_writers, ['worker']);
    });
  });

  describe('bus', () => {
    const relays = (rows) => async () => {
      see();
      relay(rows);
      history.close();
      return judged();
    };
    const appended = () => store.rows.filter((row) => row.appended);

    test('an appended event was never published', async () => {
      await violates('bus', /appended at position 3, and never published/,
        {judging: relays(appended().slice(1)), id: appends[0].event_id});
    });

    test('events were published out of order', async () => {
      await violates('bus', /position 3 was published for the first time after 4/,
        {judging: relays([appended()[1], appended()[0], ...appended().slice(2)]), id: appends[0].event_id});
    });

    test('publishing again is no harm', async () => {
      const result = await relays([...appended().slice(0, 3), ...appended()])();
      assert.ok(result.holds, verdictText(result));
    });

    test('what is published is not stored', async () => {
      await violates('bus', /published as position 8, but not stored/,
        {judging: relays([...appended(), {id: randomUUID(), position: 8}])});
    });
  });

  test('something is stuck', async () => {
    settled.left = ['outbox is at position 3 of 7'];
    await violates('quiet', /after 0.0 s: outbox is at position 3 of 7/);
  });

  test('a store that can not be read does not hold', async () => {
    store.ids = async function* () { throw new Error('the database is gone'); };
    await violates('checked', /the database is gone/);
  });
});

test('a history holds all that its writer wrote before it was killed', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'god33-history-'));
  try {
    const module = new URL('history.mjs', import.meta.url);
    const writer = spawnSync(process.execPath, ['--input-type=module', '--eval', `
      import {History} from '${module}';
      const history = History.open('${directory}', 'killed');
      for (let n = 1; n <= 1000; ++n) history.note('n', {n});
      process.kill(process.pid, 'SIGKILL');`]);
    assert.equal(writer.signal, 'SIGKILL');
    assert.throws(() => History.open(directory, 'killed'), /EEXIST/);
    const [[name, file]] = writersOf(directory);
    assert.equal(name, 'killed');
    assert.deepEqual([...entriesOf(file)].map((entry) => entry.details.n), Array.from({length: 1000}, (_, n) => n + 1));
  } finally {
    rmSync(directory, {recursive: true});
  }
});

test('a ledger finds ids among many, and keeps its columns while it grows', () => {
  const ledger = new Ledger();
  const ids = Array.from({length: 20_000}, () => randomUUID());
  ids.forEach((id, n) => {
    const row = ledger.add(id);
    assert.equal(row, n);
    ledger.store(row, 2 * n + 1);
    ledger.unit[row] = n;
  });
  ids.forEach((id, n) => {
    assert.equal(ledger.add(id), n);
    assert.equal(ledger.find(id), n);
    assert.equal(ledger.id(n), id);
    assert.equal(ledger.at(2 * n + 1), n);
    assert.equal(ledger.at(2 * n + 2), NONE);
    assert.equal(ledger.unit[n], n);
  });
  assert.equal(ledger.find(randomUUID()), NONE);
});
