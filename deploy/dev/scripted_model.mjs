// A language model that says what a script tells it, so that Letta agents can be run and tested without a real
// one: OpenAI-compatible, on 127.0.0.1 (GET /v1/models, POST /v1/chat/completions with and without `stream`).
//
//   node scripted_model.mjs PORT
//
// The script is an array under the name `script` in a JSON object that stands in a fenced block (``` lines
// around it), in a message of the user or in the system prompt; the object may hold it some levels down, as in
// {"context": {"script": [...]}}. The user's newest message that has one counts, before the system prompt:
//
//   {"script": [
//     {"say": "I begin."},
//     {"tool": "report_progress", "arguments": {"summary": "half"}, "delay_ms": 500},
//     {"tool": "ask_human", "arguments": {"question": "JWT?"}},
//     {"say": "I wait for the answer."}
//   ]}
//
// Each element is one reply of the model:
//   say        text. Without a tool it ends the agent's turn.
//   tool       the tool that is called, whether it is offered or not, with the object `arguments` (default {}).
//              With `say` besides it, both are in one reply.
//   delay_ms   how long the reply's first byte takes, 0 to 600000 (default 0).
//
// Which one is next is told by the number of the assistant's messages after the message that has the script (all
// of them, where that is the system prompt): nothing is remembered here, so it may be killed and started again.
// One whose calls were all interrupted before they were made does not count: it is said again.
//
// Without a script or after its end the model calls complete_task once and then says "Done."; it does not
// call it after report_blocked, nor with a question open: when ask_human's result came last it ends the turn.
// Where no tools are offered, as when Letta wants a summary, it calls none.
// A script that is wrong is never run: the reply says what is wrong and calls report_blocked, once.

import {randomUUID} from 'node:crypto';
import http from 'node:http';
import {fileURLToPath} from 'node:url';

const MODEL = 'scripted';
const MAX_DELAY_MS = 600_000;
const MAX_BODY_BYTES = 64 << 20;
const SEARCH_DEPTH = 4;

// ---- Finding the script

// What a message says, without what Letta itself puts in between.
function textOf(message) {
  const parts = Array.isArray(message.content) ? message.content : [{type: 'text', text: message.content}];
  return parts.filter((part) => typeof part?.text === 'string').map((part) => part.text).join('\n')
    .replace(/<system-reminder>[^]*?<\/system-reminder>/g, '');
}

function findScript(value, depth = SEARCH_DEPTH) {
  if (value === null || typeof value !== 'object' || depth === 0) return undefined;
  if (!Array.isArray(value) && Object.hasOwn(value, 'script')) return {script: value.script};
  for (const inner of Object.values(value)) {
    const found = findScript(inner, depth - 1);
    if (found) return found;
  }
  return undefined;
}

// {script}, {wrong} when a block that speaks of one is no JSON, or undefined. The last one of several: Letta puts
// what has changed in memory after what was there.
function scriptIn(text) {
  const blocks = [...text.matchAll(/^[ \t]*(`{3,})[a-z]*[ \t]*\r?\n([^]*?)\r?\n[ \t]*\1[ \t]*$/gm)];
  for (const [, , block] of blocks.reverse()) {
    try {
      const found = findScript(JSON.parse(block));
      if (found) return found;
    } catch (error) {
      if (block.includes('"script"')) return {wrong: `the block that holds it is not JSON: ${error.message}`};
    }
  }
  return undefined;
}

// {script or wrong, since: the messages after it}. Without a script it is an empty one.
function locate(messages) {
  for (let index = messages.length - 1; index >= 0; --index) {
    if (messages[index].role !== 'user') continue;
    const found = scriptIn(textOf(messages[index]));
    if (found) return {...found, since: withoutInterrupted(messages.slice(index + 1))};
  }
  const system = messages.filter(({role}) => role === 'system' || role === 'developer').map(textOf).join('\n');
  return {...(scriptIn(system) ?? {script: []}), since: withoutInterrupted(messages)};
}

// ---- Judging it

// What is wrong with a script, or undefined.
function fault(script) {
  if (!Array.isArray(script)) return '`script` is not an array';
  for (const [index, element] of script.entries()) {
    const what = elementFault(element);
    if (what) return `element ${index}: ${what}`;
  }
  return undefined;
}

function elementFault(element) {
  if (element === null || typeof element !== 'object' || Array.isArray(element)) return 'it is not an object';
  const {say, tool, arguments: input, delay_ms: delay, ...unknown} = element;
  if (Object.keys(unknown).length > 0) return `unknown name: ${Object.keys(unknown)[0]}`;
  if (say === undefined && tool === undefined) return 'it has neither `say` nor `tool`';
  if (say !== undefined && typeof say !== 'string') return '`say` is not a text';
  if (tool !== undefined && (typeof tool !== 'string' || tool === '')) return '`tool` is not the name of a tool';
  if (input !== undefined && tool === undefined) return '`arguments` without `tool`';
  if (input !== undefined && (input === null || typeof input !== 'object' || Array.isArray(input))) {
    return '`arguments` is not an object';
  }
  if (delay !== undefined && !(Number.isInteger(delay) && delay >= 0 && delay <= MAX_DELAY_MS)) {
    return `\`delay_ms\` is not a whole number from 0 to ${MAX_DELAY_MS}`;
  }
  return undefined;
}

// ---- Replying

const INTERRUPTED = /^\W*Interrupted by user/; // what Letta gives as a call's result then

// The messages without the replies whose calls were all interrupted.
function withoutInterrupted(messages) {
  const interrupted = new Set(messages.filter((message) => message.role === 'tool' && INTERRUPTED.test(textOf(message)))
    .map((message) => message.tool_call_id));
  return messages.filter(({tool_calls: calls}) => !calls?.length || !calls.every(({id}) => interrupted.has(id)));
}

const callsIn = (messages) => messages.flatMap((message) => message.tool_calls ?? []);
const called = (messages, ...names) => callsIn(messages).some((call) => names.includes(call.function?.name));

// The element that answers these messages of a chat.
export function nextElement(messages, tools = true) {
  const element = scriptedElement(messages);
  return tools || !element.tool ? element : {say: element.say ?? 'I have no tools.', delay_ms: element.delay_ms};
}

function scriptedElement(messages) {
  const {script, wrong, since} = locate(messages);
  const problem = wrong ?? fault(script);
  if (problem !== undefined) {
    const say = `The script of this task is wrong: ${problem}.`;
    return called(since, 'report_blocked') ? {say} : {say, tool: 'report_blocked', arguments: {reason: say, needs: 'a script that is right'}};
  }
  const replies = since.filter(({role}) => role === 'assistant').length;
  return replies < script.length ? script[replies] : afterwards(since);
}

function afterwards(since) {
  const last = since.at(-1);
  if (last?.role === 'tool' && callsIn(since).find(({id}) => id === last.tool_call_id)?.function?.name === 'ask_human') {
    return {say: 'I wait for the answer.'};
  }
  if (called(since, 'complete_task', 'report_blocked')) return {say: 'Done.'};
  return {
    tool: 'complete_task',
    arguments: {
      summary: 'The script has come to its end.',
      artifacts: [],
      validation: {tests_passed: true, lint_passed: true, coverage_pct: 100},
      next_action: '',
    },
  };
}

const tokens = (value) => Math.ceil(JSON.stringify(value).length / 4);

// The completion as one object.
function completion(request, element) {
  const message = {role: 'assistant', content: element.say ?? null};
  if (element.tool) {
    const input = JSON.stringify(element.arguments ?? {});
    message.tool_calls = [{id: `call_${randomUUID()}`, type: 'function', function: {name: element.tool, arguments: input}}];
  }
  const [prompt, reply] = [tokens(request.messages), tokens(message)];
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: MODEL,
    choices: [{index: 0, message, finish_reason: element.tool ? 'tool_calls' : 'stop'}],
    usage: {prompt_tokens: prompt, completion_tokens: reply, total_tokens: prompt + reply},
  };
}

// The same as the chunks of a stream: role, text by words, call, end, usage.
function* chunks({choices: [{message, finish_reason: reason}], usage, ...head}) {
  const chunk = (delta, finish = null) =>
    ({...head, object: 'chat.completion.chunk', choices: [{index: 0, delta, finish_reason: finish}]});
  yield chunk({role: 'assistant', content: ''});
  for (const content of message.content?.match(/\s*\S+\s*$|\s*\S+|\s+/g) ?? []) yield chunk({content});
  if (message.tool_calls) yield chunk({tool_calls: message.tool_calls.map((call, index) => ({index, ...call}))});
  yield chunk({}, reason);
  yield {...head, object: 'chat.completion.chunk', choices: [], usage};
}

// ---- HTTP

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, `the body has more than ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Refusal(400, 'the body is not JSON');
  }
}

function sendJson(response, status, body) {
  response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(body));
}

async function complete(request, response, log) {
  const body = await bodyOf(request);
  if (!Array.isArray(body?.messages) || body.messages.some((message) => message === null || typeof message !== 'object')) {
    throw new Refusal(400, '`messages` is not an array of objects');
  }
  const element = nextElement(body.messages, body.tools?.length > 0);
  log(`${body.messages.length} messages -> ${JSON.stringify(element)}`);
  if (element.delay_ms && !(await later(element.delay_ms, response))) return;
  const answer = completion(body, element);
  if (!body.stream) {
    sendJson(response, 200, answer);
    return;
  }
  response.writeHead(200, {'content-type': 'text/event-stream', 'cache-control': 'no-cache'});
  for (const chunk of chunks(answer)) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  response.end('data: [DONE]\n\n');
}

// False when who asked is gone before.
function later(ms, response) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, true);
    response.once('close', () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}

async function answer(request, response, log) {
  const {pathname} = new URL(request.url, 'http://127.0.0.1');
  if (request.method === 'GET' && pathname === '/v1/models') {
    sendJson(response, 200, {object: 'list', data: [{id: MODEL, object: 'model', created: 0, owned_by: 'god33'}]});
  } else if (request.method === 'POST' && pathname === '/v1/chat/completions') {
    await complete(request, response, log);
  } else {
    throw new Refusal(404, `there is no ${request.method} ${pathname} here`);
  }
}

// Listens on 127.0.0.1; port 0: any. The server, once it listens.
export async function serve(port, log = () => {}) {
  const server = http.createServer((request, response) => {
    answer(request, response, log).catch((error) => {
      log(`${request.method} ${request.url}: ${error.message}`);
      if (response.headersSent || response.destroyed) response.destroy();
      else sendJson(response, error.status ?? 500, {error: {message: error.message, type: 'invalid_request_error'}});
    });
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await serve(Number(process.argv[2]), (line) => console.log(`${new Date().toISOString()} ${line}`));
}
