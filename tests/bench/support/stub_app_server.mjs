// A stub of the Letta App Server, for load that the real one can't bear on the same machine: it speaks as much of
// protocol 1 as the bridge uses, keeps all in memory, and no model is asked. It is not Letta: what it answers is
// what letta.test.mjs has seen of the real one. Its agents answer each input alike: they call complete_task and end
// their turn, but none before `together` inputs are there.

import {randomUUID} from 'node:crypto';
import {once} from 'node:events';
import {WebSocketServer} from 'ws';

export class StubAppServer {
  static async start(together) {
    const stub = new StubAppServer();
    stub.#together = together;
    stub.#server = new WebSocketServer({host: '127.0.0.1', port: 0, path: '/ws'});
    stub.#server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data) => stub.#take(socket, JSON.parse(data)));
    });
    await once(stub.#server, 'listening');
    stub.url = `ws://127.0.0.1:${stub.#server.address().port}`;
    return stub;
  }

  model = 'stub';

  async end() {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  #server;
  #together;
  #waiting = [];
  #agents = new Map(); // id: {files: Map(path: text), commit}
  #conversations = new Map(); // id: messages, oldest first
  #calls = new Map(); // id of an external_tool_call_request: what goes on with its result

  #take(socket, command) {
    const {type, request_id: request} = command;
    const send = (frame) => socket.send(JSON.stringify(frame));
    if (type === 'external_tool_call_response') {
      this.#calls.get(request)?.();
      this.#calls.delete(request);
    } else if (type === 'input') {
      if (command.payload.kind === 'create_message') this.#input(send, command);
    } else {
      const answer = this.#answers[type]?.(command) ??
        {success: false, error: `this stub knows no ${type}, or not what it names`};
      send({type: `${type}_response`, request_id: request, runtime: command.runtime, success: true, ...answer});
    }
  }

  #agent = ({agent_id: id}, what) => {
    const agent = this.#agents.get(id);
    return agent ? what(agent) : {success: false, error: `Agent ${id} not found`};
  };

  #changed(agent) {
    agent.commit = randomUUID().replaceAll('-', '');
    return {commit_sha: agent.commit};
  }

  #converse() {
    const id = `conv-${randomUUID()}`;
    this.#conversations.set(id, []);
    return {conversation: {id}};
  }

  #answers = {
    app_server_info: () => ({protocol_version: 1, letta_code_version: 'stub'}),
    agent_create: ({body}) => {
      const id = `agent-${randomUUID()}`;
      const files = new Map(body.memory_blocks.map(({label, description, value}) =>
        [`system/${label}.md`, `---\ndescription: ${description}\n---\n\n${value}`]));
      this.#agents.set(id, {files, commit: 'new'});
      return {agent: {id}};
    },
    agent_retrieve: (command) => this.#agent(command, () => ({agent: {id: command.agent_id}})),
    agent_delete: (command) => this.#agent(command, () => this.#agents.delete(command.agent_id) && {}),
    list_memory: (command) => this.#agent(command, ({files}) =>
      ({done: true, entries: [...files.keys()].map((path) => ({relative_path: path}))})),
    read_memory_file: (command) => this.#agent(command, ({files}) => ({content: files.get(command.path)})),
    write_memory_file: (command) => this.#agent(command, (agent) => {
      agent.files.set(command.path, command.content);
      return this.#changed(agent);
    }),
    delete_memory_file: (command) => this.#agent(command, (agent) => {
      agent.files.delete(command.path);
      return this.#changed(agent);
    }),
    memory_history: (command) => this.#agent(command, ({commit}) => ({commits: [{sha: commit}]})),
    conversation_create: ({body}) => this.#agent(body, () => this.#converse()),
    conversation_recompile: () => ({}),
    runtime_start: (command) => this.#agent(command, () => ({})),
    sync: (command) => this.#agent(command.runtime, () => ({})),
    conversation_messages_list: ({conversation_id: id, query: {limit}}) => {
      const messages = this.#conversations.get(id);
      return messages && {messages: messages.slice(-limit).reverse(), has_more: false};
    },
  };

  #input(send, {request_id: request, runtime, payload: {messages: [message]}}) {
    const turn = {
      send: (type, fields) => send({type, runtime, ...fields}),
      said: this.#conversations.get(runtime.conversation_id),
    };
    turn.said.push({id: `message-${randomUUID()}`, message_type: 'user_message', content: message.content,
      otid: message.client_message_id});
    turn.send('input_accepted', {request_id: request, accepted: true, disposition: 'started'});
    this.#waiting.push(turn);
    if (this.#waiting.length < this.#together) return;
    for (const ready of this.#waiting.splice(0)) this.#call(ready);
  }

  #call(turn) {
    const id = `call-${randomUUID()}`;
    this.#calls.set(id, () => {
      const answer = {id: `message-${randomUUID()}`, message_type: 'assistant_message', content: 'Done.'};
      turn.said.push(answer);
      turn.send('stream_delta', {delta: {message_type: 'tool_return_message', id: `message-${randomUUID()}`,
        tool_call_id: id, tool_return: 'noted'}});
      turn.send('stream_delta', {delta: answer});
      turn.send('turn_finished', {turn_id: randomUUID(), stop_reason: 'end_turn'});
    });
    turn.send('external_tool_call_request', {request_id: id, tool_name: 'complete_task', tool_call_id: id, input: {
      summary: 'Implemented with tests',
      artifacts: [{type: 'code', path: 'src/auth/module.py', status: 'modified'}],
      validation: {tests_passed: true, lint_passed: true, coverage_pct: 87.5},
      next_action: 'qa_review',
    }});
  }
}
