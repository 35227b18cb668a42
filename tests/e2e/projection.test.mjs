// The projections are rebuilt and verified while events arrive and readers read, through a kill -9 of the
// manager: by REST, gRPC and the command line.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonicalText} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {SteadyAppender} from './support/steady_appender.mjs';
import {until} from './support/wait.mjs';

const WORKFLOWS = 300;
const EVENTS_EACH = 60;

describe('projections', () => {
  let set, services, rest, database;
  const workflows = Array.from({length: WORKFLOWS}, () => randomUUID());
  const sessions = workflows.map(() => randomUUID());

  before(async () => {
    set = await TestSet.start('projection');
    services = await set.all();
    rest = new Rest(services.gateway.rest);
    database = new Database(set.urls.DATABASE_URL);
    const texts = [];
    for (let n = 0; n < EVENTS_EACH; ++n) {
      for (let w = 0; w < WORKFLOWS; ++w) texts.push(eventOf(w, n));
    }
    for (let i = 0; i < texts.length; i += 1000) {
      const response = await rest.post('/api/v1/events', `[${texts.slice(i, i + 1000).join(',')}]`);
      assert.equal(response.status, 201, response.text);
    }
    await until('all is folded', async () => (await status()).lag === 0, {within: 60_000});
  });

  after(async () => {
    await set?.end();
  });

  const eventOf = (w, n) => {
    const of = `"workflow_id":"${workflows[w]}","session_id":"${sessions[w]}"`;
    switch (n % 4) {
      case 0: return canonicalText({event_type: 'bmad.workflow.phase.completed'},
        `{${of},"phase":"p${n}","next_phase":"p${n + 4}","project_name":"shop"}`);
      case 1: return canonicalText({event_type: 'agent.handoff.requested'}, `{${of},"from_agent":"bmad-a","to_agent":"letta-${n}"}`);
      case 2: return canonicalText({event_type: 'agent.handoff.accepted'}, `{${of},"agent_type":"letta-${n}"}`);
      default: return canonicalText({event_type: 'agent.letta.checkpoint.saved'}, `{${of},"checkpoint_id":"c${n}"}`);
    }
  };

  const json = async (response, code = 200) => {
    assert.equal(response.status, code, response.text);
    return JSON.parse(response.text);
  };
  const status = async () => json(await rest.get('/api/v1/projections'));
  const start = async (kind, body = {}) =>
    (await json(await rest.post(`/api/v1/projections/${kind}`, JSON.stringify(body)), 201)).job;
  const get = async (id) => json(await rest.get(`/api/v1/projections/jobs/${id}`));
  const ended = (id) => until(`job ${id} has ended`, async () => {
    const job = await get(id);
    return job.state !== 'running' && job;
  }, {within: 60_000, every: 100});
  const cancel = async (id) => json(await rest.post(`/api/v1/projections/jobs/${id}/cancel`, '{}'));

  const god33 = async (...args) => {
    const end = await run(executable('god33'), ['projection', ...args],
      {env: {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc}, timeout: 90_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const refused = async (response, code, reason, field) => {
    assert.equal(response.status, code, response.text);
    const problem = JSON.parse(response.text);
    assert.equal(problem.reason, reason, response.text);
    assert.equal(problem.field, field, response.text);
    return problem;
  };

  test('they are told of', async () => {
    const answer = await status();
    assert.deepEqual([answer.position, answer.head, answer.lag, answer.generation, answer.frozen, answer.frozen_aggregates],
      [WORKFLOWS * EVENTS_EACH, WORKFLOWS * EVENTS_EACH, 0, 1, 0, []]);
    const {code, out} = await god33('status', '-o', 'json');
    assert.deepEqual([code, JSON.parse(out)], [0, answer]);
  });

  test('what is live is what the log gives', async () => {
    const {job_id: id, kind, state} = await start('verify');
    assert.deepEqual([kind, state], ['verify', 'running']);
    const problem = await refused(await rest.post('/api/v1/projections/rebuild', '{}'), 409, 'PROJECTION_JOB_RUNNING');
    assert.ok(problem.detail.includes(id));
    const job = await ended(id);
    assert.deepEqual([job.state, job.matches, job.checked, job.differing, job.differences, job.error],
      ['completed', true, 2 * WORKFLOWS, 0, [], '']);
    assert.equal(job.position, WORKFLOWS * EVENTS_EACH);
    assert.ok(job.ended_at > job.created_at);
    const {jobs} = await json(await rest.get('/api/v1/projections/jobs', {state: 'completed', limit: 1}));
    assert.deepEqual(jobs.map((one) => one.job_id), [id]);
  });

  test('one workflow or session alone', async () => {
    const workflow = await ended((await start('verify', {workflow_id: workflows[3]})).job_id);
    assert.deepEqual([workflow.matches, workflow.checked, workflow.workflow_id], [true, 1, workflows[3]]);
    const session = JSON.parse((await god33('verify', '--session', sessions[3], '-o', 'json')).out);
    assert.deepEqual([session.matches, session.checked, session.session_id], [true, 1, sessions[3]]);
  });

  test('a row that somebody has changed is found, and mended', async () => {
    await database.rows("UPDATE workflow_state SET current_phase = 'hacked' WHERE workflow_id = $1", workflows[5]);
    await database.rows('DELETE FROM agent_sessions WHERE session_id = $1', sessions[6]);
    const found = await god33('verify', '-o', 'json');
    assert.equal(found.code, 1, found.err);
    assert.match(found.err, /2 of 600 rows are not what the log gives.*PROJECTIONS_DIFFER/s);
    const job = JSON.parse(found.out);
    assert.deepEqual([job.matches, job.changed, job.added, job.removed], [false, 1, 1, 0]);
    assert.deepEqual(job.differences, [
      {table: 'workflow_state', id: workflows[5], difference: 'changed', column: 'current_phase', live: 'hacked', folded: 'p60'},
      {table: 'agent_sessions', id: sessions[6], difference: 'added', column: '', live: null, folded: null},
    ]);
    assert.equal((await god33('verify', '--workflow', workflows[5])).code, 1);
    assert.equal((await god33('verify', '--workflow', workflows[4])).code, 0);

    const mended = await god33('rebuild');
    assert.equal(mended.code, 0, mended.err);
    assert.match(mended.out, /result\s+2 differ/);
    assert.match(mended.out, /generation\s+2/);
    assert.equal((await god33('verify')).code, 0);
    assert.equal((await status()).generation, 2);
    const {code, out} = await god33('get', job.job_id);
    assert.equal(code, 0);
    assert.match(out, /current_phase: hacked -> p60/);
    assert.match((await god33('jobs', '--state', 'completed')).out, /rebuild +completed.*2 differ/);
  });

  test('a rebuild goes on behind a kill -9, while events arrive and readers read', async () => {
    const client = await EventStoreClient.discover(services.manager.grpc);
    const appender = new SteadyAppender(client, () => [services.manager.grpc], {pauseMs: 5}).start();
    const reader = new Reader(services.api.grpc, workflows);
    await reader.start();
    const {job_id: id} = await start('rebuild');
    await until('it is under way', async () => {
      const position = Number(await database.value('SELECT position FROM projection_jobs WHERE job_id = $1', id));
      return position > 2000;
    }, {every: 5});
    const before = Number(await database.value('SELECT position FROM projection_jobs WHERE job_id = $1', id));
    await services.manager.kill();
    const {state} = (await database.rows('SELECT state FROM projection_jobs WHERE job_id = $1', id))[0];
    assert.equal(state, 'running');
    await services.manager.startAgain();
    await services.manager.untilHealthy();
    const job = await until('it has ended', async () => {
      const answer = await rest.get(`/api/v1/projections/jobs/${id}`);
      return answer.status === 200 && JSON.parse(answer.text).state !== 'running' && JSON.parse(answer.text);
    }, {within: 60_000});
    assert.deepEqual([job.state, job.matches, job.differing, job.generation], ['completed', true, 0, 3]);
    assert.ok(job.position > before);
    await appender.finish();
    await reader.finish();
    assert.deepEqual(appender.errors, []);
    assert.deepEqual(reader.errors, []);
    assert.ok(reader.reads > 100, `${reader.reads} reads`);
    console.log(`    ${reader.reads} reads, the slowest took ${reader.slowestMs} ms`);
    client.close();
    await until('all is folded', async () => (await status()).lag === 0, {within: 30_000});
    assert.equal((await god33('verify')).code, 0);
  });

  test('a cancelled job leaves everything as it was', async () => {
    const {job_id: id} = await start('rebuild');
    assert.equal((await cancel(id)).state, 'cancelled');
    assert.equal((await cancel(id)).state, 'cancelled');
    assert.equal((await status()).generation, 3);
    assert.equal((await status()).running_job, null);
    const verified = await god33('verify', '--detach', '-o', 'json');
    assert.equal(verified.code, 0, verified.err);
    assert.equal((await god33('rebuild')).code, 4);
    const {job_id: next} = JSON.parse(verified.out);
    assert.equal((await god33('cancel', next)).code, 0);
  });

  test('an aggregate that stands still is shown with its reason', async () => {
    const broken = randomUUID();
    const response = await rest.post('/api/v1/events', canonicalText({event_type: 'bmad.workflow.started'},
      `{"workflow_id":"${broken}","phase":"${'x'.repeat(60)}"}`));
    assert.equal(response.status, 201);
    const answer = await until('it is frozen', async () => (await status()).frozen === 1 && status());
    const [frozen] = answer.frozen_aggregates;
    assert.deepEqual([frozen.projection, frozen.id], ['workflow', broken]);
    assert.match(frozen.error, /phase has 60 characters/);
    assert.match((await god33('status')).out, new RegExp(`workflow ${broken} at position`));
    assert.equal((await god33('rebuild')).code, 0);
    assert.equal((await status()).frozen, 1);
    assert.equal((await god33('verify')).code, 0);
  });

  test('what can\'t be is refused by name', async () => {
    const verify = (body) => rest.post('/api/v1/projections/verify', JSON.stringify(body));
    await refused(await verify({workflow_id: 'x'}), 400, 'INVALID_ARGUMENT', 'workflow_id');
    await refused(await verify({session_id: ''}), 400, 'INVALID_ARGUMENT', 'session_id');
    await refused(await verify({workflow_id: workflows[0], session_id: sessions[0]}), 400, 'INVALID_ARGUMENT', 'session_id');
    await refused(await verify({workflow_id: randomUUID()}), 404, 'WORKFLOW_NOT_FOUND', 'workflow_id');
    await refused(await verify({session_id: workflows[0]}), 404, 'SESSION_NOT_FOUND', 'session_id');
    await refused(await rest.get(`/api/v1/projections/jobs/${randomUUID()}`), 404, 'PROJECTION_JOB_NOT_FOUND', 'job_id');
    await refused(await rest.get('/api/v1/projections/jobs/x'), 400, 'INVALID_ARGUMENT', 'job_id');
    await refused(await rest.get('/api/v1/projections/jobs', {state: 'x'}), 400, 'INVALID_ARGUMENT', 'state');
    await refused(await rest.get('/api/v1/projections/jobs', {limit: 1001}), 400, 'INVALID_ARGUMENT', 'limit');
    assert.equal((await god33('get', randomUUID())).code, 3);
  });
});

// Asks the API for workflows, one after another, and remembers every answer that should not have been.
class Reader {
  constructor(address, workflows) {
    this.address = address;
    this.workflows = workflows;
  }

  reads = 0;
  errors = [];
  slowestMs = 0;

  async start() {
    this.#client = await EventStoreClient.discover(this.address);
    this.#running = true;
    this.#done = this.#read();
  }

  async finish() {
    this.#running = false;
    await this.#done;
    this.#client.close();
  }

  #client;
  #running = false;
  #done;

  async #read() {
    for (let i = 0; this.#running; ++i) {
      const began = performance.now();
      try {
        const one = await this.#client.call('GetWorkflow', {workflow_id: this.workflows[i % this.workflows.length]});
        if (Number(one.workflow.version) !== EVENTS_EACH) this.errors.push(`version ${one.workflow.version}`);
        const list = await this.#client.call('ListWorkflows', {limit: 10});
        if (list.workflows.length !== 10) this.errors.push(`${list.workflows.length} workflows`);
      } catch (error) {
        this.errors.push(`${error.code} ${error.reason}: ${error.message}`);
      }
      this.slowestMs = Math.max(this.slowestMs, Math.round(performance.now() - began));
      ++this.reads;
    }
  }
}
