// The Letta App Server that ./dev and tests start, with the model that follows scripts: turns, and what is left
// after a kill -9.

import assert from 'node:assert/strict';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {STATE_DIR} from './support/environment.mjs';
import {Letta} from './support/letta.mjs';
import {inTime} from './support/wait.mjs';

const TOOLS = ['report_progress', 'complete_task', 'report_blocked'];
const EXTERNAL_TOOLS = [{tools: TOOLS.map((name) =>
  ({name, description: name, parameters: {type: 'object', properties: {summary: {type: 'string'}}}}))}];
const context = (script) => `The context:\n\`\`\`json\n${JSON.stringify({project: 'p', script})}\n\`\`\`\n`;

describe('the App Server', () => {
  let letta;
  let client;

  before(async () => {
    letta = await Letta.start(path.join(STATE_DIR, 'letta'));
    client = await letta.connect();
  });

  after(async () => {
    client?.close();
    await letta?.end();
  });

  const start = async (options) => {
    const {runtime} = await client.call({type: 'runtime_start', mode: 'standard', external_tools: EXTERNAL_TOOLS,
      skill_sources: [], wait_for_replay: true, ...options});
    return runtime;
  };

  const newAgent = (task = 'What the first message says.') => start({
    create_agent: {pin_global: false, body: {name: 'letta-python-dev', model: letta.model, system: 'You are a developer.',
      memory_blocks: [{label: 'task', value: task}]}},
    create_conversation: {body: {}},
  });

  const say = (runtime, text, id) => client.say(runtime, text, {id, client_tool_allowlist: TOOLS});

  // What a conversation holds, in short: texts, and calls as name(summary).
  const transcript = async (runtime) => (await client.messages(runtime.conversation_id)).flatMap((message) => {
    switch (message.message_type) {
      case 'assistant_message':
        return message.content.map(({text}) => text);
      case 'approval_request_message':
        return `${message.tool_call.name}(${JSON.parse(message.tool_call.arguments).summary})`;
      case 'tool_return_message':
        return `-> ${message.tool_return}`;
      default:
        return [];
    }
  });

  const restart = async () => {
    await letta.killServer();
    await inTime('disconnected', client.closed);
    await letta.startServer();
    client = await letta.connect();
  };

  test('runs a turn as its script says: a call that is allowed and answered, completion, the end', async () => {
    const runtime = await newAgent();
    const from = await say(runtime, `Do it.\n${context([{tool: 'report_progress', arguments: {summary: 'half'}}])}`, 'first');
    const called = [];
    const end = await client.turn(runtime, from, (tool, input) => {
      called.push([tool, input.summary]);
      return 'noted';
    });
    assert.equal(end.stop_reason, 'end_turn');
    assert.deepEqual(called, [['report_progress', 'half'], ['complete_task', 'The script has come to its end.']]);
    assert.deepEqual(await transcript(runtime), ['report_progress(half)', '-> noted',
      'complete_task(The script has come to its end.)', '-> noted', 'Done.']);
    const [first] = await client.messages(runtime.conversation_id);
    assert.equal(first.otid, 'first');
  });

  test('a script in the memory counts, too, and goes on from turn to turn', async () => {
    const runtime = await newAgent(context([{say: 'One.'}, {say: 'Two.', tool: 'report_progress'}]));
    await client.turn(runtime, await say(runtime, 'Begin.'), () => 'noted');
    await client.turn(runtime, await say(runtime, 'Go on.'), () => 'noted');
    assert.deepEqual(await transcript(runtime), ['One.', 'Two.', 'report_progress(undefined)', '-> noted',
      'complete_task(The script has come to its end.)', '-> noted', 'Done.']);
  });

  test('a wrong script is reported as blocked', async () => {
    const runtime = await newAgent();
    const called = [];
    const from = await say(runtime, context([{say: 7}]));
    await client.turn(runtime, from, (tool) => called.push(tool) && 'noted');
    assert.deepEqual(called, ['report_blocked']);
    assert.match((await transcript(runtime)).at(-1), /element 0: `say` is not a text/);
  });

  test('after kill -9 in the middle of a call the conversation is there, and goes on where it was', async () => {
    const runtime = await newAgent();
    const script = [{tool: 'report_progress', arguments: {summary: 'half'}}, {tool: 'report_progress', arguments: {summary: 'most'}}];
    const from = await say(runtime, context(script));
    await client.decide(runtime, await client.frame(({type}) => type === 'control_request', {from}), {behavior: 'allow'});
    await client.frame(({type}) => type === 'external_tool_call_request', {from});
    await restart();
    assert.deepEqual(await start(runtime), runtime);
    assert.deepEqual(await transcript(runtime), ['report_progress(half)']);
    const end = await client.turn(runtime, await say(runtime, 'Go on.'), () => 'noted');
    assert.equal(end.stop_reason, 'end_turn');
    const [call, interrupted, ...rest] = await transcript(runtime);
    assert.equal(call, 'report_progress(half)');
    assert.match(interrupted, /closed this stale pending tool call/);
    assert.deepEqual(rest, ['report_progress(most)', '-> noted', 'complete_task(The script has come to its end.)', '-> noted', 'Done.']);
  });

  test('without its model a turn waits, and goes on when the model is back', async () => {
    const runtime = await newAgent();
    await client.turn(runtime, await say(runtime, context([{say: 'One.'}, {say: 'Two.'}])), () => 'noted');
    await letta.killServer('scripted-model');
    const from = await say(runtime, 'Go on.');
    await client.frame(({delta}) => delta?.event_type === 'retry', {from});
    await letta.startServer('scripted-model');
    assert.equal((await client.turn(runtime, from)).stop_reason, 'end_turn');
    assert.deepEqual(await transcript(runtime), ['One.', 'Two.']);
  });

  test('stopped in good order and started again, it has all its agents', async () => {
    const runtime = await newAgent();
    await client.turn(runtime, await say(runtime, context([{say: 'One.'}])));
    await letta.stopServer();
    await inTime('disconnected', client.closed);
    await letta.startServer();
    client = await letta.connect();
    await start(runtime);
    assert.deepEqual(await transcript(runtime), ['One.']);
  });
});
