// `god33 chaos run`: the exit code is 0 when everything held, 1 when something was violated, 2 for arguments that
// can't be, 5 when there was no run or it was interrupted.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {missingExecutables} from './chaos_set.mjs';
import {FAULTS} from './faults.mjs';
import {readOptions, UsageError} from './options.mjs';
import {Run} from './run.mjs';
import {asJson, asText, verdictOf} from './verdict.mjs';

const CODE = {held: 0, violated: 1, usage: 2, none: 5};
const say = (line) => process.stderr.write(`${line}\n`);

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.list) {
    for (const {name, about} of FAULTS.values()) process.stdout.write(`${name.padEnd(18)} ${about}\n`);
    return CODE.held;
  }
  const missing = missingExecutables();
  if (missing.length > 0) throw new Error(`these are not built: ${missing.join(', ')}\nhint: ./dev build`);
  const directory = mkdtempSync(path.join(tmpdir(), 'god33-chaos-'));
  const run = new Run(options, directory, say);
  // A second one ends the process at once; what was started goes with it.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => run.interrupt());
  say(`seed ${options.seed}, ${options.minutes} minutes; history and logs in ${directory}`);
  try {
    await run.go();
    const verdict = await verdictOf(run, options);
    process.stdout.write(options.json ? asJson(verdict) : asText(verdict));
    if (verdict.kept) await keep(run);
    await run.end();
    if (!verdict.kept) rmSync(directory, {recursive: true, force: true});
    return {held: CODE.held, violated: CODE.violated, interrupted: CODE.none}[verdict.verdict];
  } catch (error) {
    await run.end();
    say(`what it wrote is in ${directory}`);
    throw error;
  }
}

// The log itself, for who looks into a failure when the servers are gone.
async function keep(run) {
  try {
    await run.set?.dump(path.join(run.directory, 'event_store.dump'));
  } catch (error) {
    say(`the database could not be dumped: ${error.message}`);
  }
}

// Where nobody waits for an error it must not look like a verdict: Node's own exit code would be 1.
process.on('uncaughtException', (error) => {
  say(`god33: ${error.stack} (COULD_NOT_RUN)`);
  process.exit(CODE.none);
});

main().then((code) => process.exit(code), (error) => {
  const usage = error instanceof UsageError;
  say(`god33: ${error.message} (${usage ? 'USAGE' : 'COULD_NOT_RUN'})`);
  process.exit(usage ? CODE.usage : CODE.none);
});
