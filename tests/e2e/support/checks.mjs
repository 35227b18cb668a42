// What must hold of a log when all faults are over, given the account of those who wrote it.

import assert from 'node:assert/strict';
import {until} from './wait.mjs';

// Until everything that was published and appended is stored, folded, relayed and copied.
export async function settle(database, traffic, appender, within) {
  await until('everything is stored, folded and relayed', async () => {
    const state = await database.row(`
      SELECT (SELECT count(*) FROM event_ids) AS stored, (SELECT max(position) FROM event_ids) AS head,
        (SELECT min(position) FROM cursors) AS followed, (SELECT count(*) FROM cursors) AS cursors,
        (SELECT count(*) FROM dead_letters WHERE copied_at IS NULL) AS uncopied,
        (SELECT count(*) FROM adoptions) + (SELECT count(*) FROM late_parents) AS unadopted,
        (SELECT count(DISTINCT body) FROM dead_letters) AS dead`);
    const expected = {stored: traffic.events.size + appender.positions.size, head: state.stored, followed: state.head,
      cursors: 2, uncopied: 0, unadopted: 0, dead: traffic.poison.size};
    assert.deepEqual({...state}, expected);
    return true;
  }, {within});
}

// lost = doubled = phantom = 0
export async function everyEventOnce(database, traffic, publisher, appender) {
  const rows = await database.rows('SELECT event_id, position, appended FROM events');
  const positions = new Map(rows.map((row) => [row.event_id, row.position]));
  assert.equal(positions.size, rows.length, 'doubled');
  const expected = new Set([...traffic.events, ...appender.positions.keys()]);
  const confirmed = [...publisher.confirmed].filter((id) => traffic.events.has(id));
  assert.equal(confirmed.length, traffic.events.size, 'confirmed');
  assert.deepEqual([...expected].filter((id) => !positions.has(id)), [], 'lost');
  assert.deepEqual([...positions.keys()].filter((id) => !expected.has(id)), [], 'phantoms');
  for (const [id, position] of appender.positions) assert.equal(positions.get(id), position);
  for (const row of rows) assert.equal(row.appended, appender.positions.has(row.event_id));
}

export async function denseOrder(database) {
  assert.deepEqual(await database.row(`
    SELECT min(position) AS first, max(position) = count(*) AS dense, count(DISTINCT position) = count(*) AS distinct
    FROM events`), {first: 1, dense: true, distinct: true});
  assert.equal(await database.value(`
    SELECT count(*) FROM event_ids FULL JOIN events USING (event_id, position)
    WHERE events.event_type IS NULL OR event_ids.digest IS NULL`), 0, 'ids and events differ');
  assert.equal(await database.value(`
    SELECT count(*) FROM (SELECT recorded_at < lag(recorded_at) OVER (ORDER BY position) AS back FROM events) AS t
    WHERE back`), 0, 'recorded_at goes back');
}

export async function poisonSetAside(database, traffic) {
  const rows = await database.rows(`
    SELECT convert_from(body, 'UTF8') AS body, count(*) AS times, bool_and(reason = 'unreadable') AS right_reason
    FROM dead_letters GROUP BY body`);
  assert.equal(rows.length, traffic.poison.size);
  for (const {body, times, right_reason: rightReason} of rows) {
    assert.ok(times <= traffic.poison.get(body), `${body}: ${times} rows`);
    assert.ok(rightReason);
  }
}

export async function projectionsEqual(database, traffic) {
  const versions = async (sql) => new Map((await database.rows(sql)).map((row) => [row.id, row.version]));
  const inOrder = (counts) => new Map([...counts].sort());
  assert.deepEqual(await versions('SELECT workflow_id AS id, version FROM workflow_state ORDER BY 1'),
    inOrder(traffic.workflows));
  assert.deepEqual(await versions('SELECT session_id AS id, version FROM agent_sessions ORDER BY 1'),
    inOrder(traffic.sessions));
  assert.equal(await database.value('SELECT count(*) FROM fold_failures'), 0);
}

export async function aggregatesWhole(database, appender) {
  assert.deepEqual(appender.errors, []);
  for (const {name, version} of appender.aggregates) {
    const rows = await database.rows(
      'SELECT aggregate_version FROM events WHERE aggregate = $1 ORDER BY position', name);
    assert.deepEqual(rows.map((row) => row.aggregate_version), Array.from({length: version}, (_, i) => i + 1));
    assert.equal(await database.value('SELECT version FROM aggregates WHERE aggregate = $1', name), version);
  }
}
