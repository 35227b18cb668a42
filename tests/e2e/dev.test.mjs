// ./dev, the developer's entry: from nothing to a running set, again on a running one, after crashes, down.

import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {DevSet} from './support/dev_set.mjs';
import {STATE_DIR} from './support/environment.mjs';
import {Rest} from './support/rest.mjs';
import {until} from './support/wait.mjs';

const NAMES = ['postgres', 'rabbitmq', 'epmd', 'letta', 'scripted-model', 'event-store-manager', 'event-store-api',
  'letta-bridge', 'gateway'];

const DEMO_STORED = /^(\d+) events of workflow ([0-9a-f-]{36}) are stored/m;

describe('./dev', () => {
  let set;

  before(async () => {
    set = await DevSet.create(path.join(STATE_DIR, 'dev', 'run'));
  });

  after(() => set?.end());

  // GET of the set's gateway, as the printed curl line does it.
  const get = async (route, parameters) => {
    const {GOD33_GATEWAY_URL: url, GOD33_TOKEN: token} = await set.variables();
    const rest = new Rest(new URL(url).host);
    return rest.request(['--header', `Authorization: Bearer ${token}`], route, parameters);
  };

  // How many events there are. The gateway finds a service within a second of its return.
  const total = async () => {
    const response = await until('the gateway answers', async () => {
      const answer = await get('/api/v1/events', {limit: 1});
      assert.equal(answer.status, 200, answer.text);
      return answer;
    }, {within: 3000});
    return JSON.parse(response.text).total;
  };

  // A zombie is dead, however long its new parent leaves it lying about.
  const alive = (pid) => {
    try {
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  };

  const killHard = async (pid) => {
    process.kill(pid, 'SIGKILL');
    await until(`${pid} is gone`, () => !alive(pid));
  };

  test('up makes a running set of nothing, and its first time shows the demo', async (t) => {
    const up = await set.must('up');
    t.diagnostic(`./dev up: ${up.ms} ms`);
    const [, published] = up.text.match(DEMO_STORED);
    assert.match(up.text, /api\/v1\/events/);
    assert.deepEqual(Object.keys(set.pids()).sort(), [...NAMES].sort());
    assert.equal(await total(), Number(published));
    const {GOD33_BIN: bin, DATABASE_URL: database, RABBITMQ_URL: broker, LETTA_SERVER_URL: letta} = await set.variables();
    assert.ok(existsSync(path.join(bin, 'god33')));
    assert.ok(database.startsWith('postgresql://') && broker.startsWith('amqp://'));
    assert.equal((await fetch(`${letta.replace('ws', 'http')}/readyz`)).status, 200);
  });

  // From here on without building: whoever edits the sources meanwhile would change the programs.
  const upAgain = () => set.must('up', '--no-build');

  test('a second up changes nothing and takes seconds', async (t) => {
    const [pids, variables, events] = [set.pids(), await set.variables(), await total()];
    const up = await upAgain();
    t.diagnostic(`./dev up on a running set: ${up.ms} ms`);
    assert.ok(up.ms < 20_000, `${up.ms} ms`);
    assert.deepEqual(set.pids(), pids);
    assert.deepEqual(await set.variables(), variables);
    assert.equal(await total(), events, 'the demo is shown once');
  });

  test('status tells every process', async () => {
    const {text} = await set.must('status');
    const pids = set.pids();
    for (const name of NAMES) {
      const row = text.split('\n').find((line) => line.startsWith(`${name} `));
      assert.match(row, new RegExp(`running +${pids[name]} .*healthy`));
    }
  });

  for (const name of ['gateway', 'event-store-api', 'event-store-manager', 'letta-bridge', 'letta', 'epmd', 'rabbitmq', 'postgres']) {
    test(`after kill -9 of ${name}, up brings it back on the same data`, async (t) => {
      const [pids, events, variables] = [set.pids(), await total(), await set.variables()];
      await killHard(pids[name]);
      const status = await set.dev('status');
      assert.equal(status.code, 3, status.text);
      assert.match(status.text, new RegExp(`${name} +gone`));
      const up = await upAgain();
      t.diagnostic(`./dev up: ${up.ms} ms`);
      await set.must('status');
      assert.notEqual(set.pids()[name], pids[name]);
      assert.equal(await total(), events);
      assert.deepEqual(await set.variables(), variables, 'the same addresses');
    });
  }

  test('after all are killed at once, as in a power cut, up brings all back on the same data', async (t) => {
    const events = await total();
    const processes = set.processes();
    for (const pid of processes) process.kill(pid, 'SIGKILL');
    await until('all are gone', () => !processes.some(alive));
    const up = await upAgain();
    t.diagnostic(`./dev up: ${up.ms} ms`);
    await set.must('status');
    assert.equal(await total(), events);
  });

  test('demo shows hand-offs that are done, recovered after a kill of Letta, and asked about', async () => {
    const [events, letta] = [await total(), set.pids().letta];
    const {text, ms} = await set.must('demo');
    const [, published, id] = text.match(DEMO_STORED);
    const killed = text.indexOf(`kill -9 ${letta}, the Letta App Server`);
    assert.ok(killed > 0, text);
    const steps = ['bmad.workflow.started', 'agent.handoff.accepted', 'agent.letta.task.completed', 'kill -9',
      'agent.letta.session.failed', 'agent.letta.session.recovery.started', 'agent.letta.context.restored',
      'agent.letta.task.resumed', 'agent.letta.task.completed', 'agent.feedback.requested', 'agent.letta.session.paused',
      'agent.feedback.response', 'agent.letta.session.resumed', 'agent.letta.task.completed', 'bmad.workflow.completed'];
    steps.reduce((from, step) => {
      const at = text.indexOf(` ${step} `, from);
      assert.ok(at >= 0, `${step} is not shown, or not in its place: ${text}`);
      return at + 1;
    }, 0);
    assert.match(text, /└── \d+ +agent\.letta\.session\.failed/, 'the tree of causes');
    assert.ok(ms < 60_000, `${ms} ms`); // 20 s on a machine that does nothing else
    assert.equal(await total(), events + Number(published));
    const workflow = JSON.parse((await get(`/api/v1/workflows/${id}`)).text);
    assert.equal(workflow.version, Number(published));
    assert.notEqual(workflow.completed_at, null);
    await set.must('status');
  });

  test('one service can be stopped and started', async () => {
    await set.must('stop', 'event-store-api');
    assert.equal((await set.dev('status')).code, 3);
    await set.must('start', 'event-store-api');
    await set.must('status');
    assert.match((await set.must('logs', 'event-store-api')).text, /"message":"serving"/);
  });

  test('what it does not know it says, with exit code 2', async () => {
    for (const args of [['nothing'], ['up', '--quickly'], ['logs'], ['stop', 'nobody']]) {
      assert.equal((await set.dev(...args)).code, 2, args.join(' '));
    }
  });

  test('down leaves no process of the set, and the data', async (t) => {
    const events = await total();
    const processes = set.processes();
    assert.ok(processes.length >= NAMES.length);
    const down = await set.must('down');
    t.diagnostic(`./dev down: ${down.ms} ms`);
    assert.deepEqual(set.processes(), []);
    assert.deepEqual(processes.filter(alive), []);
    assert.equal((await set.dev('status')).code, 3);
    await set.must('down');

    await upAgain();
    assert.equal(await total(), events);
    await set.must('down');
    assert.deepEqual(set.processes(), []);
  });
});
