// What benchmarks print: every figure's median, and the ratio to the floor measured in the same run.

import {readFileSync} from 'node:fs';
import os from 'node:os';
import {mustRun} from '../../e2e/support/run.mjs';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// [{what, unit, ours, floor, ratio, least}] as a Markdown table; `ours`, `floor` and `ratio` hold a value for
// each repeat, `least` is what the ratio must be.
export function table(rows) {
  const number = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2));
  const figure = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `${number(median(values))} (${number(low)}-${number(high)})`;
  };
  return [
    '| what | ours | floor | ours/floor | must |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row.what}, ${row.unit} | ${figure(row.ours)} | ${figure(row.floor)} | ` +
      `${figure(row.ratio)} | ${row.least} |`),
  ].join('\n');
}

// What the figures depend on.
export async function machine() {
  const version = async (command, ...args) => (await mustRun(command, args)).trim().split('\n')[0];
  const memory = Number(readFileSync('/proc/meminfo', 'utf8').match(/MemTotal:\s+(\d+)/)[1]);
  return {
    cpu: `${os.cpus().length} x ${os.cpus()[0].model.trim()}`,
    memory: `${Math.round(memory / 1024 / 1024)} GiB`,
    kernel: os.release(),
    postgresql: await version('psql', '--version'),
    rabbitmq: await version('dpkg-query', '--show', '--showformat=${Version}', 'rabbitmq-server'),
  };
}
