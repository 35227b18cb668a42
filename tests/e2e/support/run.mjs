// Running commands to their end.

import {spawn} from 'node:child_process';

// Returns {code, signal, stdout (bytes), stderr (text)}; the exit code is the caller's to judge.
export function run(command, args, {env, cwd, input, timeout = 120_000} = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {env, cwd, stdio: ['pipe', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL'});
    const out = [];
    const err = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({code, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString()}));
    child.stdin.on('error', () => {}); // it may end without having read everything
    child.stdin.end(input);
  });
}

// The same, where anything but success is an error. Returns what it printed.
export async function mustRun(command, args, options) {
  const result = await run(command, args, options);
  if (result.code === 0) return result.stdout.toString();
  const end = result.signal ?? `exit code ${result.code}`;
  throw new Error(`${command} ${args.join(' ')}: ${end}\n${result.stdout}${result.stderr}`);
}
