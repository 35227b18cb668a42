// A Letta App Server of the test's own with the scripted model (deploy/dev/servers.sh), and a client of its
// WebSocket protocol.

import {randomUUID} from 'node:crypto';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import WebSocket from 'ws';
import {BASE_ENVIRONMENT, ROOT} from './environment.mjs';
import {freePorts} from './free_ports.mjs';
import {Lifeline} from './lifeline.mjs';
import {mustRun} from './run.mjs';
import {readEnvironment} from './servers.mjs';
import {inTime} from './wait.mjs';

const SCRIPT = path.join(ROOT, 'deploy/dev/servers.sh');

export class Letta {
  static async start(directory) {
    const letta = new Letta(directory);
    await letta.#script('down', directory); // what a run that was killed has left
    await mkdir(directory, {recursive: true});
    const ports = await freePorts(2);
    await writeFile(path.join(directory, 'ports'), `LETTA=${ports[0]}\nSCRIPTED_MODEL=${ports[1]}\n`);
    letta.#lifeline = new Lifeline('"$0" down "$1" >/dev/null', [SCRIPT, directory], BASE_ENVIRONMENT);
    await letta.#script('up', directory, 'scripted-model', 'letta');
    const variables = await readEnvironment(path.join(directory, 'env'));
    letta.url = variables.LETTA_SERVER_URL; // ws://host:port
    letta.model = variables.GOD33_LETTA_MODEL;
    return letta;
  }

  constructor(directory) {
    this.directory = directory;
  }

  // `server`: letta or scripted-model.
  startServer(server = 'letta') {
    return this.#script('start', server, this.directory);
  }

  stopServer(server = 'letta') {
    return this.#script('stop', server, this.directory);
  }

  // By SIGKILL.
  killServer(server = 'letta') {
    return this.#script('kill', server, this.directory);
  }

  log(server = 'letta') {
    return readFile(path.join(this.directory, 'log', `${server}.log`), 'utf8');
  }

  connect() {
    return LettaClient.open(this.url);
  }

  // Stops both and removes all they had.
  async end() {
    await this.#lifeline.end();
  }

  #lifeline;

  #script(...args) {
    return mustRun(SCRIPT, args, {env: BASE_ENVIRONMENT});
  }
}

export class LettaClient {
  static async open(url) {
    const client = new LettaClient(new WebSocket(`${url}/ws`));
    await inTime('connected', new Promise((resolve, reject) => client.#socket.on('open', resolve).on('error', reject)));
    return client;
  }

  constructor(socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(data));
      for (const look of [...this.#looks]) look();
    });
    socket.on('error', () => {}); // `closed` tells
  }

  // All that came, in order.
  frames = [];

  send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  // The response to a command; an error when it failed and `failing` is not set.
  async call(command, {failing = false, within = 15_000} = {}) {
    const request = `request-${randomUUID()}`;
    const from = this.frames.length;
    this.send({request_id: request, ...command});
    const response = await this.frame((frame) => frame.request_id === request, {from, within});
    if (!failing && (response.success === false || response.accepted === false)) {
      throw new Error(`${command.type}: ${JSON.stringify(response)}`);
    }
    return response;
  }

  // The first frame since `from` that `is` likes.
  frame(is, {from = 0, within = 15_000} = {}) {
    let at = from;
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        while (at < this.frames.length) {
          const frame = this.frames[at++];
          if (is(frame)) resolve(frame);
        }
      };
      this.#looks.add(look);
      look();
    });
    return inTime(`a frame that ${is}`, found, within).finally(() => this.#looks.delete(look));
  }

  // Sends an idle agent what somebody says. Returns where its frames begin. An input that comes right after a
  // turn's end runs where no approval finds it, and stands still; after a `sync` it does not.
  async say(runtime, content, {id, ...payload} = {}) {
    await this.call({type: 'sync', runtime});
    const from = this.frames.length;
    await this.call({type: 'input', runtime,
      payload: {kind: 'create_message', messages: [{role: 'user', content, client_message_id: id}], ...payload}});
    return from;
  }

  decide(runtime, request, decision) {
    return this.call({type: 'input', runtime,
      payload: {kind: 'approval_response', request_id: request.request_id, decision}});
  }

  // What a turn ends with. On the way every call of a tool is allowed, and `answer(tool, input)` gives the text
  // that it returns.
  async turn(runtime, from, answer) {
    let at = from;
    for (;;) {
      const frame = await this.frame(({type}) =>
        ['control_request', 'external_tool_call_request', 'turn_finished'].includes(type), {from: at});
      at = this.frames.indexOf(frame) + 1;
      if (frame.type === 'turn_finished') return frame;
      if (frame.type === 'control_request') {
        await this.decide(runtime, frame, {behavior: 'allow'});
      } else {
        this.answerTool(frame, answer(frame.tool_name, frame.input));
      }
    }
  }

  answerTool(request, text) {
    this.send({type: 'external_tool_call_response', request_id: request.request_id, result: {content: [{type: 'text', text}]}});
  }

  // Oldest first.
  async messages(conversation, query = {limit: 100}) {
    const {messages} = await this.call({type: 'conversation_messages_list', conversation_id: conversation, query});
    return messages.reverse();
  }

  close() {
    this.#socket.terminate();
  }

  #socket;
  #looks = new Set();
}
