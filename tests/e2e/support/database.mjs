// Checks in SQL, as an outsider makes them.

import pg from 'pg';

// bigint: no test comes near 2^53 positions.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export class Database {
  constructor(url) {
    this.url = url;
  }

  // A connection per query: none has to survive what a test does to the server.
  async rows(sql, ...values) {
    const client = new pg.Client({connectionString: this.url, connectionTimeoutMillis: 5000, query_timeout: 60_000});
    client.on('error', () => {}); // said again by the query
    await client.connect();
    try {
      return (await client.query(sql, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async row(sql, ...values) {
    return (await this.rows(sql, ...values))[0];
  }

  // The only column of the only row.
  async value(sql, ...values) {
    const row = await this.row(sql, ...values);
    return row && Object.values(row)[0];
  }
}
