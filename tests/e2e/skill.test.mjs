// The example skill of docs/skills: it hands a task over and follows it, while the test plays the agent.

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

const SCRIPT = path.join(ROOT, 'docs/skills/handoff/handoff.sh');

describe('the hand-off skill', () => {
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
});
