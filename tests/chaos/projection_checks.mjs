// The projections against the log: folded anew by the set itself, and counted without folding.

import {EventStoreClient} from '../e2e/support/grpc.mjs';
import {until} from '../e2e/support/wait.mjs';
import {Invariant} from './invariant.mjs';

const FOLDED_WITHIN_MS = 600_000;

// `verify()` resolves to a job of ProjectionService that has ended.
export async function checkProjections(store, verify) {
  const projections = new Invariant('projections', 'the projections are what folding the log from nothing gives, and each ' +
    'event is in them once');
  for await (const {projection, id, live, counted} of store.projections()) {
    projections.expect(live?.version === counted?.version && live?.position === counted?.position,
      () => `${projection} ${id} ${told(live, 'has folded')}, but of the log ${told(counted, 'it should be')}`,
      () => ({projection, aggregate: id}));
  }
  for await (const {projection, id, position, error} of store.frozen()) {
    projections.violate(`${projection} ${id} stands still: ${error}`, {projection, aggregate: id, position});
  }
  const job = await verify();
  projections.expect(job.state === 'completed', () => `folding anew has ${job.state}: ${job.error}`);
  projections.checked += Number(job.checked);
  for (const {table, id, difference, column, live, folded} of job.differences) {
    projections.violate(`${table} ${id} is ${difference} when the log is folded anew` +
      (column ? `: ${column} is ${live}, and becomes ${folded}` : ''), {table, aggregate: id});
  }
  projections.expect(job.state !== 'completed' || job.matches || projections.violated > 0,
    () => `${job.differing} rows differ`);
  return projections;
}

const told = (state, verb) => (state ? `${verb} ${state.version} events, the newest at position ${state.position}` :
  `${verb} none`);

// Has a manager of the set (see check.mjs) fold the log anew and compare.
export async function verifyProjections(set) {
  const manager = [...set.services].find((service) => service.name.startsWith('event-store-manager') && service.running);
  if (!manager) throw new Error('no event-store-manager runs that could verify the projections');
  const client = await EventStoreClient.discover(manager.grpc, 'god33.store.v1.ProjectionService');
  try {
    // Another job may still be running.
    const {job: {job_id}} = await until('a verification can begin', () => client.call('VerifyProjections', {}),
      {within: FOLDED_WITHIN_MS, every: 200});
    return await until('the log is folded anew', async () => {
      const {job} = await client.call('GetProjectionJob', {job_id});
      return job.state !== 'running' && job;
    }, {within: FOLDED_WITHIN_MS, every: 200});
  } finally {
    client.close();
  }
}
