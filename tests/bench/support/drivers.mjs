// The drivers of the benchmarks (bench_* in the build directory) and PostgreSQL's own programs.

import {spawn} from 'node:child_process';
import path from 'node:path';
import {BASE_ENVIRONMENT, BUILD_DIR} from '../../e2e/support/environment.mjs';
import {mustRun} from '../../e2e/support/run.mjs';

const TIMEOUT = 1_800_000;

const executable = (name) => path.join(BUILD_DIR, 'bin', `bench_${name}`);

// Runs bench_NAME to its end. Returns what it printed. `env`: addresses; `input`: lines.
export function drive(name, args, {env = {}, input = []} = {}) {
  return mustRun(executable(name), args.map(String),
    {env: {...BASE_ENVIRONMENT, ...env}, input: input.join('\n'), timeout: TIMEOUT});
}

// Of drivers that print the seconds they took.
export async function secondsOf(...what) {
  return Number(await drive(...what));
}

// Of drivers that print {count, seconds, p50_ms, ...}.
export async function figuresOf(...what) {
  return JSON.parse(await drive(...what));
}

// Starts bench_NAME and waits for its first line. Returns {line, rest, end}: `rest` resolves to what it
// printed after that when it has ended well, which end() asks for by closing its input.
export function launch(name, args, {env = {}} = {}) {
  const child = spawn('/usr/bin/setpriv', ['--pdeathsig=KILL', '--', executable(name), ...args.map(String)],
    {env: {...BASE_ENVIRONMENT, ...env}, stdio: ['pipe', 'pipe', 'inherit']});
  let out = '';
  return new Promise((resolve, reject) => {
    const rest = new Promise((done, failed) => {
      child.on('close', (code) => {
        if (code === 0) return done(out.slice(out.indexOf('\n') + 1));
        const error = new Error(`bench_${name} ${args.join(' ')}: exit code ${code}`);
        failed(error);
        reject(error);
      });
    });
    rest.catch(() => {}); // said by `line`, or to who waits for `rest`
    child.stdout.on('data', (data) => {
      out += data;
      if (out.includes('\n')) resolve({line: out.slice(0, out.indexOf('\n')), rest, end: () => child.stdin.end()});
    });
  });
}

// Lines of SQL and psql's own commands.
export function psql(url, lines) {
  return mustRun('psql', ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1',
    `--dbname=${url}`, '--file=-'], {env: BASE_ENVIRONMENT, input: `${lines.join('\n')}\n`, timeout: TIMEOUT});
}

// Transactions a second of a pgbench script: `clients` at once, `each` transactions of every one.
export async function pgbench(url, script, {clients, each}) {
  const out = await mustRun('pgbench', ['--no-vacuum', '--protocol=prepared', `--client=${clients}`,
    `--jobs=${Math.min(clients, 2)}`, `--transactions=${each}`, '--file=-', url],
  {env: BASE_ENVIRONMENT, input: script, timeout: TIMEOUT});
  const tps = out.match(/^tps = ([\d.]+)/m);
  if (tps === null || /failed.*: [1-9]/.test(out)) throw new Error(`pgbench: ${out}`);
  return Number(tps[1]);
}
