// What came out of a run.

import {check, verdictText} from './check.mjs';

const COMMAND = 'god33 chaos run';

// {verdict: held, violated or interrupted; seed, minutes, again: the command that does the same; faults, skipped,
// load: what was done; directory; kept: whether it stays; violations: what the run found; check: see check.mjs, null
// when it was interrupted}
export async function verdictOf(run, {seed, minutes, kinds, keep, all}) {
  const checked = run.interrupted ? null :
    await check({directory: run.history, set: run.set.checked, quiet: run.quiet});
  const held = run.violations.length === 0 && (checked?.holds ?? true);
  const verdict = !held ? 'violated' : run.interrupted ? 'interrupted' : 'held';
  return {
    verdict, seed, minutes,
    again: `${COMMAND} --seed ${seed} --minutes ${minutes}${all ? '' : ` --faults ${kinds.join(',')}`}`,
    faults: run.faults, skipped: Object.fromEntries(run.skipped), load: run.figures,
    directory: run.directory, kept: keep || verdict !== 'held',
    violations: run.violations, check: checked,
  };
}

export function asJson(verdict) {
  return `${JSON.stringify(verdict)}\n`;
}

export function asText({verdict, seed, again, faults, skipped, load, directory, kept, violations, check: checked}) {
  const counts = new Map();
  for (const {kind} of faults) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const lines = [
    '',
    ...(checked === null ? [] : [verdictText(checked), '']),
    ...violations.map(({invariant, what}) => `VIOLATED  ${invariant}: ${what}`),
    `faults   ${faults.length}: ${[...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')}`,
    ...Object.entries(skipped).map(([kind, why]) => `skipped  ${kind}: ${why}`),
    `load     ${Object.entries(load).map(([name, value]) => `${value} ${name}`).join(', ')}`,
    `seed     ${seed}; again: ${again}`,
    ...(kept ? [`kept     ${directory}: history/ (what was done and seen), log/, event_store.dump`] : []),
    `verdict  ${verdict}`,
  ];
  return `${lines.join('\n')}\n`;
}
