// The example skills of docs/skills, while the test plays the agent: one hands a task over and follows it, one takes a
// workflow from its start to its end. And the helpers that publish.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable, ROOT} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const SKILLS = path.join(ROOT, 'docs/skills');
const SCRIPT = path.join(SKILLS, 'handoff/handoff.sh');

describe('the skills', () => {
  let set, services, rest, database, environment;

  before(async () => {
    set = await TestSet.start('skill');
    services = await set.all();
    rest = new Rest(services.gateway.rest);
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    environment = {
      ...BASE_ENVIRONMENT,
      PATH: `${path.dirname(executable('god33'))}:${BASE_ENVIRONMENT.PATH}`,
      RABBITMQ_URL: set.urls.RABBITMQ_URL,
      GOD33_EVENT_STORE_API_ADDR: services.api.grpc,
      GOD33_EVENT_STORE_MANAGER_ADDR: services.manager.grpc,
    };
  });

  after(() => set?.end());

  const append = async (fields) => {
    const event = canonical(fields);
    const response = await rest.post('/api/v1/events', JSON.stringify(event));
    assert.equal(response.status, 201, response.text);
    return event.event_id;
  };

  // Hands over, answers as `agent` says, and returns {code, lines, handoff (the event's row)}.
  const handOver = async (agent) => {
    const workflow = randomUUID();
    const started = await append({event_type: 'bmad.workflow.started',
      payload: {workflow_id: workflow, project_name: 'p', phase: 'planning'}});
    const done = run(SCRIPT, [workflow, 'letta-python-dev', 'Say "hello"', started], {env: environment, timeout: 60_000});
    const handoff = await until('the hand-off is stored', () => database.row(
      "SELECT event_id, correlation_ids::text[], payload FROM events WHERE event_type = 'bmad.workflow.handoff.requested'"
      + ' AND workflow_id = $1', workflow));
    assert.deepEqual(handoff.correlation_ids, [started]);
    await agent(workflow, handoff.event_id);
    const end = await done;
    return {code: end.code, lines: end.stdout.toString().trimEnd().split('\n'), handoff, err: end.stderr};
  };

  const accept = (workflow, handoff) => append({event_type: 'agent.handoff.accepted', correlation_ids: [handoff],
    payload: {workflow_id: workflow, agent_type: 'letta-python-dev', session_id: randomUUID(), accepted_from: 'bmad-handoff'}});

  test('a task that is done ends it with 0', async () => {
    const {code, lines, handoff, err} = await handOver(async (workflow, id) => {
      const accepted = await accept(workflow, id);
      await append({event_type: 'agent.letta.task.completed', correlation_ids: [accepted],
        payload: {workflow_id: workflow, summary: 'Said it'}});
    });
    assert.equal(code, 0, err);
    assert.equal(lines[0], handoff.event_id);
    assert.equal(handoff.payload.task, 'Say "hello"');
    assert.match(lines[1], /agent\.handoff\.accepted/);
    assert.match(lines[2], /agent\.letta\.task\.completed Said it/);
  });

  test('one that is rejected ends it with 1', async () => {
    const {code, lines} = await handOver((workflow, id) => append({event_type: 'agent.handoff.rejected',
      correlation_ids: [id], payload: {workflow_id: workflow, reason: 'busy'}}));
    assert.equal(code, 1);
    assert.match(lines.at(-1), /rejected busy/);
  });

  // Runs the BMAD skill; `agent` gets the hand-off's row. Returns {code, workflow, lines, err}.
  const plan = async (context, agent) => {
    const project = `p-${randomUUID()}`;
    const done = run(path.join(SKILLS, 'bmad/bmad.sh'), [project, 'letta-python-dev', 'Say "hello"', context],
      {env: environment, timeout: 60_000});
    const handoff = await until('the hand-off is stored', () => database.row(
      `SELECT h.event_id, h.workflow_id, h.payload FROM events AS h JOIN events AS s USING (workflow_id)
       WHERE h.event_type = 'bmad.workflow.handoff.requested' AND s.event_type = 'bmad.workflow.started'
         AND s.payload ->> 'project_name' = $1`, project));
    await agent(handoff);
    const end = await done;
    const [workflow, ...lines] = end.stdout.toString().trimEnd().split('\n');
    assert.equal(workflow, handoff.workflow_id);
    return {code: end.code, workflow, lines, err: end.stderr};
  };

  const typesOf = async (workflow) => (await database.rows(
    'SELECT event_type FROM events WHERE workflow_id = $1 ORDER BY position', workflow)).map((row) => row.event_type);

  test('the BMAD skill plans, hands over, waits, validates and completes', async () => {
    const {code, workflow, lines, err} = await plan('{"constraints":{"files":["a.py"]}}', async (handoff) => {
      assert.deepEqual(handoff.payload.context, {constraints: {files: ['a.py']}});
      const accepted = await accept(handoff.workflow_id, handoff.event_id);
      await append({event_type: 'agent.letta.task.completed', correlation_ids: [accepted],
        payload: {workflow_id: handoff.workflow_id, summary: 'Said it',
          artifacts: [{type: 'code', path: 'a.py', status: 'modified'}]}});
    });
    assert.equal(code, 0, err);
    assert.equal(lines[0], 'modified a.py');
    assert.match(err, /took the task over.*Task completed: Said it/s);
    assert.deepEqual(await typesOf(workflow), [
      'bmad.workflow.started', ...Array(3).fill('bmad.workflow.phase.completed'), 'bmad.workflow.handoff.requested',
      'agent.handoff.accepted', 'agent.letta.task.completed', 'bmad.workflow.validation.requested',
      'bmad.workflow.completed']);
    // The tree of causes goes back to the start.
    const tree = lines.slice(1).join('\n');
    for (const type of await typesOf(workflow)) assert.ok(tree.includes(type), `${type}\n${tree}`);
  });

  test('the BMAD skill stops where the agent could not do it', async () => {
    const {code, workflow, err} = await plan('{}', (handoff) => append({event_type: 'agent.handoff.rejected',
      correlation_ids: [handoff.event_id], payload: {workflow_id: handoff.workflow_id, reason: 'busy'}}));
    assert.equal(code, 1);
    assert.match(err, /was rejected: busy/);
    assert.equal((await typesOf(workflow)).at(-1), 'agent.handoff.rejected');
  });

  test('publish_event publishes from Bash and from Python', async () => {
    const cause = randomUUID();
    const helpers = path.join(SKILLS, 'helpers');
    const bash = await run('bash', ['-euc', `. '${helpers}/publish_event.sh'; publish_event a.b '{"n":1.10}' ${cause}`],
      {env: environment, timeout: 60_000});
    assert.equal(bash.code, 0, bash.stderr);
    const python = await run('python3', ['-c', [
      'import asyncio, sys, uuid',
      `sys.path.insert(0, ${JSON.stringify(helpers)}); sys.dont_write_bytecode = True`,
      'from publish_event import publish_event',
      `print(asyncio.run(publish_event("a.b", {"n": 2, "quoted": "'\\""}, [uuid.UUID("${cause}")])))`,
      'try: asyncio.run(publish_event("a b", {}))',
      'except RuntimeError as error: print(error, file=sys.stderr)',
    ].join('\n')], {env: environment, timeout: 60_000});
    assert.equal(python.code, 0, python.stderr);
    assert.match(python.stderr, /^god33: /);
    for (const [end, payload] of [[bash, '{"n":1.10}'], [python, `{"n": 2, "quoted": "'\\""}`]]) {
      const id = end.stdout.toString().trim();
      const event = await until('it is stored', () => database.row(
        'SELECT payload::text, source, correlation_ids::text[] FROM events WHERE event_id = $1', id));
      assert.equal(event.payload, payload);
      assert.deepEqual(event.correlation_ids, [cause]);
      assert.deepEqual([event.source.type, event.source.app], ['agent', 'bmad']);
    }
  });
});
