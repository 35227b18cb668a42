// The stored log as an outsider reads it: one snapshot of the database, in rows of bounded memory. What tables and
// columns mean is known here and in quiet.mjs only.

import pg from 'pg';
import '../e2e/support/database.mjs'; // how bigint is read
import {digestOf} from './history.mjs';

const ROWS = 2000; // at a time

export class Store {
  // `url`: of a role that may read everything. Times and ids come as the history has them.
  static async open(url) {
    const client = new pg.Client({connectionString: url, connectionTimeoutMillis: 5000});
    client.on('error', () => {}); // said again by the query
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return new Store(client);
  }

  constructor(client) {
    this.#client = client;
  }

  async close() {
    await this.#client.end();
  }

  // From all partitions, by position: {id, position, recordedAt (us), digest, appended, aggregate, version}.
  async* events() {
    for await (const row of this.#rows(`
      SELECT position, event_id, event_type, (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_at,
        (extract(epoch FROM "timestamp") * 1000000)::bigint::text AS instant, correlation_ids, payload::text AS payload,
        appended, aggregate, aggregate_version
      FROM events ORDER BY position, event_id`)) {
      yield {
        id: row.event_id,
        position: row.position,
        recordedAt: row.recorded_at,
        digest: digestOf({type: row.event_type, instant: row.instant, parents: row.correlation_ids, payload: row.payload}),
        appended: row.appended,
        aggregate: row.aggregate,
        version: row.aggregate_version,
      };
    }
  }

  // The ids that are taken: {id, position}.
  async* ids() {
    for await (const row of this.#rows('SELECT event_id, position FROM event_ids ORDER BY position')) {
      yield {id: row.event_id, position: row.position};
    }
  }

  // Events that name parents, or have edges or orphans as children: {position, parents (ids), edges (positions),
  // orphans (ids)}.
  async* causation() {
    for await (const row of this.#rows(`
      SELECT position, coalesce(parents, '{}') AS parents, coalesce(edges, '{}') AS edges,
        coalesce(orphans, '{}') AS orphans
      FROM (SELECT position, correlation_ids AS parents FROM events WHERE cardinality(correlation_ids) > 0) AS e
        FULL JOIN (SELECT child_position AS position, array_agg(parent_position) AS edges
                   FROM event_edges GROUP BY 1) AS known USING (position)
        FULL JOIN (SELECT child_position AS position, array_agg(parent_id) AS orphans
                   FROM event_orphans GROUP BY 1) AS missing USING (position)`)) {
      yield {...row, edges: row.edges.map(Number)}; // pg gives elements of bigint[] as text
    }
  }

  // Events that could be members of workflows, or are: {position, names (the one its payload names, or null), offered
  // (those of its known parents), fitting (of these, those of no other project), members (what it is a member of)}.
  async* memberships() {
    yield* this.#rows(`
      SELECT position, workflow_id AS names, coalesce(offered, '{}') AS offered, coalesce(fitting, '{}') AS fitting,
        coalesce(members, '{}') AS members
      FROM events
        LEFT JOIN (
          SELECT child.position, array_agg(DISTINCT m.group_id) AS offered, array_agg(DISTINCT m.group_id) FILTER (
              WHERE p.project IS NULL OR child.project IS NULL OR p.project = child.project) AS fitting
          FROM events AS child JOIN event_edges AS edge ON edge.child_position = child.position
            JOIN memberships AS m ON m.kind = 'w' AND m.position = edge.parent_position AND m.inherited
            LEFT JOIN workflow_projects AS p ON p.workflow_id = m.group_id
          GROUP BY child.position) AS inherited USING (position)
        FULL JOIN (SELECT position, array_agg(group_id) AS members
                   FROM memberships WHERE kind = 'w' GROUP BY position) AS own USING (position)
      WHERE workflow_id IS NOT NULL OR offered IS NOT NULL OR members IS NOT NULL`);
  }

  // {aggregate, version}
  async* aggregates() {
    yield* this.#rows('SELECT aggregate, version FROM aggregates');
  }

  // {number, bodyId (see history.mjs), id (of the event in it, if it could be read; or null), reason, detail, bytes}
  async* deadLetters() {
    for await (const row of this.#rows(`
      SELECT dead_letter_id, substr(encode(sha256(body), 'hex'), 1, 32)::uuid AS body_id, event_id, reason, detail,
        length(body) AS bytes
      FROM dead_letters ORDER BY dead_letter_id`)) {
      yield {number: row.dead_letter_id, bodyId: row.body_id, id: row.event_id, reason: row.reason, detail: row.detail,
        bytes: row.bytes};
    }
  }

  // Both projections, and what can be counted of them without folding: {projection, id, live, counted}, where the
  // last two are {version, position} or null.
  async* projections() {
    for await (const row of this.#rows(`
      SELECT projection, coalesce(live.id, counted.id) AS id, live.version AS live_version,
        live.position AS live_position, counted.version, counted.position
      FROM (
        SELECT 'workflow' AS projection, workflow_id AS id, version, position FROM workflow_state
        UNION ALL SELECT 'session', session_id, version, position FROM agent_sessions) AS live
      FULL JOIN (
        SELECT 'workflow' AS projection, group_id AS id, count(*) AS version, max(since) AS position
        FROM memberships WHERE kind = 'w' GROUP BY group_id
        UNION ALL
        SELECT 'session', session_id, count(*), max(position)
        FROM (
          SELECT session_id, position FROM events WHERE event_type ^@ 'agent.' AND session_id IS NOT NULL
          UNION
          SELECT (payload ->> 'new_session_id')::uuid, position FROM events
          WHERE event_type = 'agent.letta.session.recovery.started'
            AND payload ->> 'new_session_id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') AS named
        GROUP BY session_id) AS counted USING (projection, id)`)) {
      yield {
        projection: row.projection,
        id: row.id,
        live: row.live_version === null ? null : {version: row.live_version, position: row.live_position},
        counted: row.version === null ? null : {version: row.version, position: row.position},
      };
    }
  }

  // Aggregates whose projection stands still: {projection, id, position, error}.
  async* frozen() {
    yield* this.#rows('SELECT projection, aggregate_id AS id, position, error FROM fold_failures');
  }

  #client;

  async* #rows(sql) {
    await this.#client.query(`DECLARE page NO SCROLL CURSOR FOR ${sql}`);
    for (;;) {
      const {rows} = await this.#client.query(`FETCH ${ROWS} FROM page`);
      yield* rows;
      if (rows.length < ROWS) break;
    }
    await this.#client.query('CLOSE page');
  }
}
