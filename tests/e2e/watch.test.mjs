// `--watch`: what changes is shown again, on a terminal and in a pipe, through outages.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {Process} from './support/process.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

describe('--watch', () => {
  let set, services, rest, environment;
  const running = [];

  before(async () => {
    set = await TestSet.start('watch');
    services = await set.all();
    rest = new Rest(services.gateway.rest);
    environment = {
      ...BASE_ENVIRONMENT,
      TERM: 'xterm',
      RABBITMQ_URL: set.urls.RABBITMQ_URL,
      GOD33_EVENT_STORE_API_ADDR: services.api.grpc,
      GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc,
    };
  });

  after(async () => {
    for (const process of running) process.signal('SIGKILL');
    await set?.end();
  });

  const start = (command, args) => {
    const process = Process.start(command, args, environment);
    running.push(process);
    return process;
  };

  const watch = (...args) => start(executable('god33'), [...args, '--watch', '--interval', '200ms']);

  const endsWell = async (process, signal = 'SIGINT') => {
    process.signal(signal);
    assert.deepEqual(await process.exited, {code: 0, signal: null}, process.err);
  };

  const append = async (type, payload) => {
    const response = await rest.post('/api/v1/events', JSON.stringify({event_type: type, payload}));
    assert.equal(response.status, 201, response.text);
  };

  const startWorkflow = async (project) => {
    const workflow = randomUUID();
    await append('bmad.workflow.started', {workflow_id: workflow, project_name: project, phase: 'analysis'});
    await until('it is folded', async () => (await rest.get(`/api/v1/workflows/${workflow}`)).status === 200);
    return workflow;
  };

  const documents = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));

  test('in a pipe, json is one document for each change', async () => {
    const workflow = await startWorkflow('w1');
    const watching = watch('workflow', 'get', workflow, '-o', 'json');
    await until('the first', () => watching.out.endsWith('\n'));
    await append('bmad.workflow.phase.completed', {workflow_id: workflow, phase: 'analysis', next_phase: 'planning'});
    await until('the second', () => documents(watching.out).length === 2);
    await append('bmad.workflow.completed', {workflow_id: workflow});
    const seen = await until('the third', () => documents(watching.out).length === 3 && documents(watching.out));
    assert.deepEqual(seen.map((state) => [state.current_phase, state.version, state.completed_at !== null]),
      [['analysis', 1, false], ['planning', 2, false], ['planning', 3, true]]);
    await endsWell(watching);
    assert.equal(documents(watching.out).length, 3, 'what has not changed is not said again');
    assert.equal(watching.err, '');
  });

  test('in a pipe, jsonl is the lines that are new', async () => {
    const workflow = await startWorkflow('w2');
    const watching = watch('workflow', 'timeline', workflow, '-o', 'jsonl');
    await until('the first', () => documents(watching.out).length === 1);
    for (let n = 0; n < 3; ++n) await append('step.done', {workflow_id: workflow, n});
    await until('all', () => documents(watching.out).length === 4);
    await endsWell(watching, 'SIGTERM');
    const positions = documents(watching.out).map((entry) => entry.position);
    assert.deepEqual(positions, [...new Set(positions)].sort((a, b) => a - b));
  });

  test('every command that has it takes it', async () => {
    const workflow = await startWorkflow('w3');
    const session = randomUUID();
    await append('agent.handoff.accepted', {workflow_id: workflow, session_id: session, agent_type: 'letta'});
    await until('the session is folded', async () => (await rest.get(`/api/v1/agents/${session}`)).status === 200);
    const replay = JSON.parse((await rest.post('/api/v1/events/replay', '{"from_position":1}')).text).replay.replay_id;
    const commands = [['status'], ['event', 'list', '--workflow', workflow], ['workflow', 'list'],
      ['workflow', 'get', workflow], ['workflow', 'timeline', workflow], ['agent', 'list'], ['agent', 'get', session],
      ['agent', 'checkpoints', session], ['agent', 'events', session], ['dlq', 'list'], ['event', 'replay', 'list'],
      ['event', 'replay', 'get', replay]];
    for (const command of commands) {
      const watching = watch(...command, '-o', 'json');
      await until(`${command.join(' ')} answers`, () => watching.out.endsWith('\n'));
      await endsWell(watching);
      documents(watching.out);
    }
  });

  test('it goes on when the API was away, and says so once', async () => {
    const workflow = await startWorkflow('w4');
    const watching = watch('workflow', 'get', workflow, '-o', 'json', '--timeout', '2s');
    await until('the first', () => watching.out.endsWith('\n'));
    await services.api.kill();
    await until('it says so', () => /event-store-api at .*; trying again/.test(watching.err));
    await services.api.startAgain();
    await services.api.untilHealthy();
    await append('bmad.workflow.completed', {workflow_id: workflow});
    await until('the second', () => documents(watching.out).length === 2, {within: 20_000});
    await until('it says that it is over', () => /well again/.test(watching.err));
    await endsWell(watching);
    assert.equal(watching.err.match(/well again/g).length, 1);
  });

  test('status shows what is not serving instead of ending', async () => {
    const watching = watch('status', '-o', 'json');
    await until('all is well', () => watching.out.endsWith('\n') && documents(watching.out).at(-1).status === 'ok');
    await services.api.stop();
    await until('something is not', () => documents(watching.out).at(-1).status === 'unavailable');
    await services.api.startAgain();
    await until('all is well again', () => documents(watching.out).at(-1).status === 'ok', {within: 20_000});
    await endsWell(watching);
  });

  test('what is wrong from the start is an error', async () => {
    const god33 = (...args) => run(executable('god33'), args, {env: environment, timeout: 30_000});
    assert.equal((await god33('workflow', 'get', randomUUID(), '--watch')).code, 3);
    assert.equal((await god33('workflow', 'list', '--watch', '--api', '127.0.0.1:1')).code, 5);
    assert.equal((await god33('workflow', 'list', '--page-token', 'x', '--watch')).code, 2);
  });

  test('a reader who has gone ends it, also when nothing changes', async () => {
    const workflow = await startWorkflow('w5');
    const pipe = await run('/bin/bash', ['--norc', '-c',
      '"$0" workflow get "$1" -o json --watch --interval 1h | head -1; echo "${PIPESTATUS[0]}"',
      executable('god33'), workflow], {env: environment, timeout: 20_000});
    const [document, code] = pipe.stdout.toString().trimEnd().split('\n');
    assert.equal(JSON.parse(document).workflow_id, workflow);
    assert.equal(Number(code), 128 + 13, 'SIGPIPE');
    assert.equal(pipe.stderr, '');
  });

  test('on a terminal the newest answer stands where the one before stood', async () => {
    const workflow = await startWorkflow('w6');
    const watching = start('/usr/bin/script', ['-qefc',
      `stty rows 40 cols 60; ${executable('god33')} workflow get ${workflow} --watch --interval 200ms`, '/dev/null']);
    await until('the first', () => /Ctrl-C ends it/.test(watching.out));
    const height = watching.out.split('\n').length - 1;
    await append('bmad.workflow.phase.completed', {workflow_id: workflow, phase: 'analysis', next_phase: 'planning'});
    await until('the second', () => /current_phase +planning/.test(watching.out));
    assert.ok(watching.out.includes(`\u001b[${height}A\r`), 'up to the first line');
    await services.api.kill();
    await until('it says so, and shows what it knew', () =>
      /planning(?:(?!Ctrl-C).)*can't be reached.*trying again/s.test(watching.out));
    await services.api.startAgain();
    await services.api.untilHealthy();
    const long = watching.out.length;
    await until('it goes on', () => /Ctrl-C ends it/.test(watching.out.slice(long)), {within: 20_000});
    watching.signal('SIGTERM');
    await watching.exited;
  });
});
