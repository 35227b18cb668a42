// What benchmarks print: every figure's median and range, the ratio to the floor measured in the same run, and
// what it must be.

import {readFileSync} from 'node:fs';
import os from 'node:os';
import {mustRun} from '../../e2e/support/run.mjs';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// The value that this part of them does not exceed.
export function quantile(values, part) {
  return [...values].sort((a, b) => a - b)[Math.ceil(part * values.length) - 1];
}

// One line of the table. `ours`, `floor` and `ratio` hold a value for each repeat.
export class Row {
  ours = [];
  floor = [];
  ratio = [];
  #inverse;

  // `must`: {least} or {most}, of the median ratio or, with {of: 'ours'}, of our own figure; left out: only
  // reported. `aim`: text. `inverse`: the ratio is floor/ours, since less is better.
  constructor({what, unit, must, aim = '', inverse = false}) {
    Object.assign(this, {what, unit, must, aim});
    this.#inverse = inverse;
  }

  // Without `floor` there is nothing to compare with.
  add(ours, floor) {
    const measured = [ours, floor].filter((value) => value !== undefined);
    if (!measured.every((value) => Number.isFinite(value) && value >= 0)) throw new Error(`${this.what}: ${measured}`);
    this.ours.push(ours);
    if (floor === undefined) return;
    this.floor.push(floor);
    this.ratio.push(this.#inverse ? floor / ours : ours / floor);
  }

  // true, false, or undefined if nothing is demanded.
  get met() {
    if (this.must === undefined) return undefined;
    const {least = -Infinity, most = Infinity, of = 'ratio'} = this.must;
    const value = median(this[of]);
    return least <= value && value <= most;
  }

  toJSON() {
    const {what, unit, ours, floor, ratio, must, aim, met} = this;
    const medians = {ours: median(ours), ...(floor.length > 0 && {floor: median(floor), ratio: median(ratio)})};
    return {what, unit, ours, floor, ratio, median: medians, must, aim, met};
  }
}

function number(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3).replace(/\.0+$/, '');
}

function figure(values) {
  if (values.length === 0) return '';
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? number(low) : `${number(median(values))} (${number(low)}-${number(high)})`;
}

function demand({unit, must, met}) {
  if (must === undefined) return ['reported', ''];
  const own = must.of === 'ours' ? ` ${unit}` : '';
  const text = must.least === undefined ? `<= ${must.most}` : `>= ${must.least}`;
  return [text + own, met ? 'yes' : '**no**'];
}

// Rows as a Markdown table.
export function table(rows) {
  return [
    '| what | ours | floor | ratio | must | met | aim |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((row) => {
      const [must, met] = demand(row);
      return `| ${row.what}, ${row.unit} | ${figure(row.ours)} | ${figure(row.floor)} | ${figure(row.ratio)} | ` +
        `${must} | ${met} | ${row.aim} |`;
    }),
  ].join('\n');
}

// What the figures depend on.
export async function machine(database) {
  const version = async (command, ...args) => (await mustRun(command, args)).trim().split('\n')[0];
  const memory = Number(readFileSync('/proc/meminfo', 'utf8').match(/MemTotal:\s+(\d+)/)[1]);
  const settings = await database.rows(`
    SELECT name, current_setting(name) AS value FROM unnest(ARRAY['synchronous_commit', 'fsync', 'full_page_writes',
      'wal_compression', 'shared_buffers', 'max_wal_size', 'jit']) AS name`);
  return {
    cpu: `${os.cpus().length} x ${os.cpus()[0].model.trim()}`,
    memory: `${Math.round(memory / 1024 / 1024)} GiB`,
    load: os.loadavg().map((value) => value.toFixed(2)).join(' '),
    kernel: os.release(),
    postgresql: await version('psql', '--version'),
    rabbitmq: await version('dpkg-query', '--show', '--showformat=${Version}', 'rabbitmq-server'),
    ...Object.fromEntries(settings.map(({name, value}) => [name, value])),
  };
}
