// The command line, as a human uses it.

import {execFile} from 'node:child_process';
import path from 'node:path';
import {promisify} from 'node:util';
import {Failure, required} from './environment.mjs';

const TIMEOUT_MS = 30_000;
const run = promisify(execFile);

async function god33(...args) {
  try {
    const {stdout} = await run(path.join(required('GOD33_BIN'), 'god33'), args, {timeout: TIMEOUT_MS});
    return stdout.trimEnd();
  } catch (error) {
    throw new Failure(`god33 ${args.join(' ')}: ${error.stderr?.trim() || error.message}`, './dev status');
  }
}

// Answers a question with its first option. Returns how.
export async function answer({event_id: question, payload: {options}}) {
  const decision = options?.[0] ?? 'Decide yourself';
  await god33('feedback', 'answer', question, decision, '--rationale', 'We run it already');
  return `god33 feedback answer ${question} '${decision}'`;
}

// The tree of all that an event has caused.
export function causes({event_id: root}) {
  return god33('event', 'descendants', root, '--format', 'tree', '--all', '-o', 'table');
}
