// The model that follows scripts, asked as Letta asks it.

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {nextElement, serve} from '../../deploy/dev/scripted_model.mjs';

const fenced = (value) => `\`\`\`json\n${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n\`\`\``;
const user = (content) => ({role: 'user', content});
const task = (script) => user(`Implement it.\n\n${fenced({project: 'p', script})}\n\nUse the tools.`);
const said = (content) => ({role: 'assistant', content});
const call = (name, id = name) => ({role: 'assistant', content: null, tool_calls: [{id, type: 'function', function: {name, arguments: '{}'}}]});
const result = (id) => ({role: 'tool', tool_call_id: id, content: 'ok'});

const SCRIPT = [{say: 'One.'}, {tool: 'report_progress', arguments: {summary: 'half'}}, {say: 'Three.', tool: 'read_file'}];

describe('the scripted model', () => {
  test('gives one element for each of its replies', () => {
    const chat = [{role: 'system', content: 'You are a developer.'}, task(SCRIPT)];
    assert.deepEqual(nextElement(chat), SCRIPT[0]);
    chat.push(said('One.'), user('Go on.'));
    assert.deepEqual(nextElement(chat), SCRIPT[1]);
    chat.push(call('report_progress'), result('report_progress'));
    assert.deepEqual(nextElement(chat), SCRIPT[2]);
  });

  test('completes the task once when the script is at its end, or when there is none', () => {
    for (const chat of [[task([])], [user('Do it.')], [task([{say: 'One.'}]), said('One.')], []]) {
      const next = nextElement(chat);
      assert.equal(next.tool, 'complete_task');
      assert.deepEqual(Object.keys(next.arguments).sort(), ['artifacts', 'next_action', 'summary', 'validation']);
      chat.push(call('complete_task'), result('complete_task'));
      assert.deepEqual(nextElement(chat), {say: 'Done.'});
      chat.push(said('Done.'), user('Thanks.'));
      assert.deepEqual(nextElement(chat), {say: 'Done.'});
    }
  });

  test('says again what was interrupted before it was done', () => {
    const interrupted = {...result('report_progress'), content: 'Interrupted by user'};
    const chat = [task(SCRIPT), said('One.'), call('report_progress'), interrupted, user('Go on.')];
    assert.deepEqual(nextElement(chat), SCRIPT[1]);
    const done = [task([]), call('complete_task'), {...result('complete_task'), content: 'Interrupted by user'}];
    assert.equal(nextElement(done).tool, 'complete_task');
  });

  test('does not complete what it has reported as blocked', () => {
    const chat = [task([{tool: 'report_blocked', arguments: {reason: 'r', needs: 'n'}}]), call('report_blocked'), result('report_blocked')];
    assert.deepEqual(nextElement(chat), {say: 'Done.'});
  });

  test('ends its turn when the last thing it did was to ask, and completes after the answer', () => {
    const chat = [task([{tool: 'ask_human', arguments: {question: 'JWT?'}}]), call('ask_human'), result('ask_human')];
    assert.deepEqual(nextElement(chat), {say: 'I wait for the answer.'});
    chat.push(said('I wait for the answer.'), user('Yes, JWT.'));
    assert.equal(nextElement(chat).tool, 'complete_task');
  });

  test('the newest script of the user counts, from its beginning', () => {
    const chat = [task([{say: 'old'}]), said('old'), task([{say: 'new'}, {say: 'newer'}])];
    assert.deepEqual(nextElement(chat), {say: 'new'});
    assert.deepEqual(nextElement([...chat, said('new'), user('and?')]), {say: 'newer'});
  });

  test('finds the script in parts of a message, some levels down, and in the system prompt', () => {
    const reminder = `<system-reminder>\nThe file changed:\n${fenced({script: [{say: 'not this'}]})}\n</system-reminder>`;
    const parts = user([{type: 'text', text: reminder}, {type: 'image_url', image_url: {url: 'data:,'}},
      {type: 'text', text: `The task.\n${fenced({task: 't', context: {script: SCRIPT}})}`}]);
    assert.deepEqual(nextElement([parts]), SCRIPT[0]);
    assert.deepEqual(nextElement([parts, said('One.'), user(reminder)]), SCRIPT[1]);
    const system = {role: 'system', content: `<memory>\n  ${fenced({context: {script: SCRIPT}}).replaceAll('\n', '\n  ')}\n</memory>`};
    assert.deepEqual(nextElement([system, user('Go on.')]), SCRIPT[0]);
    assert.deepEqual(nextElement([system, user('Go on.'), said('One.'), user('Go on.')]), SCRIPT[1]);
  });

  test('of several scripts in a text the last counts', () => {
    const system = {role: 'system', content: `${fenced({script: [{say: 'old'}]})}\n<memory_update>\n${fenced({script: [{say: 'new'}]})}\n</memory_update>`};
    assert.deepEqual(nextElement([system, user('Go on.')]), {say: 'new'});
  });

  test('calls nothing where no tools are offered', () => {
    assert.equal(nextElement([task([{tool: 'x'}])], false).tool, undefined);
    assert.equal(nextElement([task([{say: 'One.', tool: 'x'}])], false).say, 'One.');
    assert.match(nextElement([user('Summarize.')], false).say, /\w/);
  });

  test('a fence or a script inside of texts is no script', () => {
    const tricky = [{say: '```json\n{"script": 1}\n```'}];
    assert.deepEqual(nextElement([task(tricky)]), tricky[0]);
    assert.equal(nextElement([user('We need a "script".\n```sh\necho {}\n```')]).tool, 'complete_task');
    assert.equal(nextElement([call('read_file'), {...result('read_file'), content: fenced({script: SCRIPT})}]).tool, 'complete_task');
  });

  test('a wrong script is told, reported as blocked once, and never run', () => {
    const wrong = [
      ['{"script": [}', /not JSON/],
      [{script: {}}, /not an array/],
      [{script: 'say hello'}, /not an array/],
      [{script: null}, /not an array/],
      [{script: [{say: 'fine'}, 7]}, /element 1: it is not an object/],
      [{script: [[]]}, /element 0: it is not an object/],
      [{script: [{}]}, /neither/],
      [{script: [{delay_ms: 5}]}, /neither/],
      [{script: [{say: 7}]}, /`say` is not a text/],
      [{script: [{tool: ''}]}, /name of a tool/],
      [{script: [{tool: 'x', arguments: '{}'}]}, /not an object/],
      [{script: [{tool: 'x', arguments: null}]}, /not an object/],
      [{script: [{say: 'x', arguments: {}}]}, /without `tool`/],
      [{script: [{say: 'x', delay_ms: -1}]}, /delay_ms/],
      [{script: [{say: 'x', delay_ms: 600_001}]}, /delay_ms/],
      [{script: [{say: 'x', delay_ms: '5'}]}, /delay_ms/],
      [{script: [{say: 'x', dealy_ms: 5}]}, /unknown name: dealy_ms/],
    ];
    for (const [script, why] of wrong) {
      const chat = [user(fenced(script))];
      const next = nextElement(chat);
      assert.match(next.say, why, JSON.stringify(script));
      assert.equal(next.tool, 'report_blocked');
      assert.equal(next.arguments.reason, next.say);
      const after = nextElement([...chat, call('report_blocked'), result('report_blocked')]);
      assert.deepEqual(Object.keys(after), ['say']);
      assert.match(after.say, why);
    }
  });
});

describe('its HTTP', () => {
  let server;
  let url;

  before(async () => {
    server = await serve(0);
    url = `http://127.0.0.1:${server.address().port}/v1`;
  });

  after(() => server.close());

  const post = (body, options) => fetch(`${url}/chat/completions`,
    {method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), ...options});
  const tools = [{type: 'function', function: {name: 'x', parameters: {type: 'object'}}}];
  const ask = async (script) => (await post({model: 'scripted', messages: [task(script)], tools})).json();

  test('lists its model', async () => {
    const {data} = await (await fetch(`${url}/models`)).json();
    assert.deepEqual(data.map(({id}) => id), ['scripted']);
  });

  test('answers with text, with a call, and with what it has used', async () => {
    const text = await ask([{say: 'Hello.'}]);
    assert.equal(text.object, 'chat.completion');
    assert.deepEqual(text.choices[0], {index: 0, message: {role: 'assistant', content: 'Hello.'}, finish_reason: 'stop'});
    assert.ok(text.usage.prompt_tokens > 0 && text.usage.total_tokens === text.usage.prompt_tokens + text.usage.completion_tokens);
    const tool = await ask([{tool: 'read_file', arguments: {path: 'a "b"\n'}}]);
    assert.equal(tool.choices[0].finish_reason, 'tool_calls');
    const [{id, function: {name, arguments: input}}] = tool.choices[0].message.tool_calls;
    assert.equal(name, 'read_file');
    assert.deepEqual(JSON.parse(input), {path: 'a "b"\n'});
    const again = await ask([{tool: 'read_file'}]);
    assert.notEqual(again.choices[0].message.tool_calls[0].id, id);
    assert.equal(again.choices[0].message.tool_calls[0].function.arguments, '{}');
  });

  test('streams the same in pieces', async () => {
    const say = '  Héllo,\n\nworld  of\twords  ';
    for (const element of [{say}, {say: ' '}, {say: ''}, {tool: 'x', arguments: {n: 1}}, {say, tool: 'x'}]) {
      const response = await post({messages: [task([element])], tools, stream: true, stream_options: {include_usage: true}});
      assert.equal(response.headers.get('content-type'), 'text/event-stream');
      const lines = (await response.text()).split('\n').filter((line) => line !== '');
      assert.equal(lines.pop(), 'data: [DONE]');
      const chunks = lines.map((line) => JSON.parse(line.slice('data: '.length)));
      assert.ok(chunks.at(-1).usage.total_tokens > 0);
      const choices = chunks.flatMap((chunk) => chunk.choices);
      assert.equal(choices.map(({delta}) => delta.content ?? '').join(''), element.say ?? '');
      const calls = choices.flatMap(({delta}) => delta.tool_calls ?? []);
      assert.deepEqual(calls.map((one) => [one.index, one.function.name, one.function.arguments]),
        element.tool ? [[0, 'x', JSON.stringify(element.arguments ?? {})]] : []);
      assert.equal(choices.at(-1).finish_reason, element.tool ? 'tool_calls' : 'stop');
    }
  });

  test('waits as the script says, and no longer for who has gone', async () => {
    const began = Date.now();
    await ask([{say: 'late', delay_ms: 300}]);
    assert.ok(Date.now() - began >= 290);
    await assert.rejects(post({messages: [task([{say: 'late', delay_ms: 600_000}])]}, {signal: AbortSignal.timeout(100)}));
    assert.equal((await ask([{say: 'still there'}])).choices[0].message.content, 'still there');
  });

  test('refuses what is no request', async () => {
    for (const body of ['', '{', '[]', 'null', '{}', {messages: 'x'}, {messages: [null]}, {messages: [[1], 2]}]) {
      const response = await post(body);
      assert.equal(response.status, 400, JSON.stringify(body));
      assert.match((await response.json()).error.message, /JSON|messages/);
    }
    assert.equal((await fetch(`${url}/embeddings`, {method: 'POST'})).status, 404);
    assert.equal((await fetch(`${url}/chat/completions`)).status, 404);
    for (const content of [null, undefined, 7, {}, [null, 7, {type: 'text'}, {type: 'text', text: 7}]]) {
      assert.equal((await post({messages: [{role: 'user', content}, {role: 'system', content}, {role: 'assistant', content, tool_calls: null}]})).status, 200);
    }
  });
});
