// What the API asks the database, as a script for pgbench: taken from the server's log, so that it is what runs.

import {readFileSync, statSync} from 'node:fs';
import path from 'node:path';
import {until} from '../../e2e/support/wait.mjs';
import {figuresOf} from './drivers.mjs';

// The statements that ListEvents runs for one page behind `position`, which `request` asks for; where they say
// `position`, the script says :after.
export async function sqlOfPage(database, request, position) {
  const log = path.join(database.set.directory, 'servers/log/postgres.log');
  await database.rows(`ALTER DATABASE ${database.name} SET log_statement = 'all'`);
  try {
    const api = await database.api();
    await api.untilHealthy();
    await figuresOf('calls', ['list', api.grpc, 1, 1], {input: [request]}); // prepares
    const begin = statSync(log).size;
    await figuresOf('calls', ['list', api.grpc, 1, 1], {input: [request]});
    const lines = await until('the statements are logged', () => {
      const text = readFileSync(log).subarray(begin).toString();
      const statements = statementsIn(text);
      const page = statements.find(({sql}) => sql.includes('page_rows'));
      return page && statements.filter(({pid}) => pid === page.pid);
    });
    await api.stop();
    return lines.map((statement) => `${withValues(statement, position)};\n`).join('');
  } finally {
    await database.rows(`ALTER DATABASE ${database.name} RESET log_statement`);
  }
}

const VALUE = /\$\d+ = ('(?:[^']|'')*'|NULL)/g;

// Entries begin with a time; what follows on further lines belongs to them.
function statementsIn(text) {
  const statements = [];
  for (const entry of text.split(/\n(?=\d{4}-\d\d-\d\d )/)) {
    const pid = entry.match(/^\S+ \S+ \S+ \[(\d+)\]/)?.[1];
    const executed = entry.match(/LOG: {2}execute [^:]+: ([^]*)$/);
    const values = entry.match(/DETAIL: {2}parameters: ([^]*)$/);
    if (executed) statements.push({pid, sql: executed[1].trim(), values: []});
    else if (values) statements.at(-1).values = [...values[1].matchAll(VALUE)].map(([, value]) => value);
  }
  return statements;
}

function withValues({sql, values}, position) {
  const line = sql.replace(/\s+/g, ' ');
  return line.replace(/\$(\d+)/g, (_, number) => {
    const value = values[number - 1];
    return value === `'${position}'` ? ':after' : value;
  });
}
