// Clients that follow the whole log live, through every fault: by WebSocket, as server-sent events and by gRPC. When
// a connection ends, or nothing was heard for a while, they go on at their last position.

import {EventSource} from 'eventsource';
import WebSocket from 'ws';
import {PATH} from '../e2e/support/live.mjs';
import {StreamReader} from '../e2e/support/stream_reader.mjs';
import {pause} from '../e2e/support/wait.mjs';

const SILENT_MS = 10_000; // heartbeats come every 3 s
const REST_MS = 200;

// What a client has come to, and the account of it.
class Follower {
  position = 0;
  connections = 0;

  constructor(history, name) {
    this.history = history;
    this.name = name;
  }

  start() {
    this.running = true;
    this.done = this.run();
    return this;
  }

  // Goes for good.
  async finish() {
    this.running = false;
    this.hangUp();
    await this.done;
  }

  subscribed(position) {
    ++this.connections;
    this.history.subscribed(this.name, position);
  }

  seen(position, id) {
    this.position = position;
    this.history.seen(this.name, position, id);
  }

  ended(reason) {
    this.history.ended(this.name, reason);
  }

  // Connections one after another. `connect()` resolves when one has ended.
  async run() {
    while (this.running) {
      await this.connect();
      await pause(REST_MS);
    }
  }
}

export class SocketFollower extends Follower {
  constructor(history, name, address) {
    super(history, name);
    this.#url = `ws://${address}${PATH}`;
  }

  connect() {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${this.#url}?after=${this.position}`, {handshakeTimeout: SILENT_MS});
      this.#socket = socket;
      const silence = silenceAfter(() => socket.terminate());
      let subscribed = false;
      socket.on('message', (data) => {
        silence.heard();
        const frame = JSON.parse(data);
        if (frame.type === 'subscribed') {
          subscribed = true;
          this.subscribed(frame.position);
        } else if (frame.type === 'event') {
          this.seen(frame.position, frame.data.event_id);
        }
      });
      socket.on('error', () => {}); // it closes, too
      socket.on('close', (code, reason) => {
        silence.end();
        if (subscribed) this.ended(`${code} ${reason}`.trim());
        resolve();
      });
    });
  }

  hangUp() {
    this.#socket?.terminate();
  }

  #url;
  #socket;
}

export class SourceFollower extends Follower {
  constructor(history, name, address) {
    super(history, name);
    this.#url = `http://${address}${PATH}`;
  }

  // As long as the EventSource comes back by itself; not after an answer that is no stream.
  connect() {
    return new Promise((resolve) => {
      const source = new EventSource(`${this.#url}?after=${this.position}`,
        {fetch: (url, init) => this.#fetch(url, init)});
      let subscribed = false;
      const ended = (reason) => {
        if (subscribed) this.ended(reason);
        subscribed = false;
      };
      const end = (reason) => {
        silence.end();
        source.close();
        ended(reason);
        resolve();
      };
      const silence = silenceAfter(() => end('silent'));
      this.#end = () => end('done');
      this.#heard = () => silence.heard();
      source.addEventListener('open', () => {
        subscribed = true;
        this.subscribed(this.position);
      });
      source.addEventListener('event', (event) =>
        this.seen(Number(event.lastEventId), JSON.parse(event.data).data.event_id));
      source.addEventListener('error', (error) => {
        if (source.readyState === EventSource.CLOSED) end(`closed ${error.code ?? ''}`.trim());
        else ended('reconnects');
      });
    });
  }

  hangUp() {
    this.#end?.();
  }

  #url;
  #end;
  #heard;

  // The same stream; heartbeats are comments, which an EventSource does not tell of.
  async #fetch(url, init) {
    const response = await fetch(url, init);
    if (!response.body) return response;
    const heard = () => this.#heard();
    const body = response.body.pipeThrough(new TransformStream({
      transform(chunk, controller) {
        heard();
        controller.enqueue(chunk);
      },
    }));
    const {status, redirected, headers} = response;
    return {body, url: response.url, status, redirected, headers};
  }
}

export class CallFollower extends Follower {
  // `clients()`: one for each replica that is there.
  constructor(history, name, clients) {
    super(history, name);
    this.#reader = new StreamReader(clients, {}, {
      after: 0,
      onSubscribed: (position) => this.subscribed(position),
      onEvent: (event) => {
        this.#reader.events.length = 0; // the account is elsewhere
        this.seen(Number(event.position), event.event_id);
      },
      onEnded: (reason) => this.ended(reason),
    });
  }

  get errors() {
    return this.#reader.errors;
  }

  async run() {
    this.#reader.start();
    while (this.running) {
      if (Date.now() - this.#reader.heardAt > SILENT_MS) this.#reader.cut();
      await pause(REST_MS);
    }
    await this.#reader.stop();
  }

  hangUp() {
    this.#reader.cut();
  }

  #reader;
}

// Calls `late` once when `heard` was not called for too long.
function silenceAfter(late) {
  let timer = setTimeout(late, SILENT_MS);
  return {
    heard() {
      clearTimeout(timer);
      timer = setTimeout(late, SILENT_MS);
    },
    end: () => clearTimeout(timer),
  };
}
