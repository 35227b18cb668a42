// Live events by clients that are not ours: ws and eventsource.

import {EventSource} from 'eventsource';
import WebSocket from 'ws';
import {until} from './wait.mjs';

export const PATH = '/api/v1/events/stream';

export const query = (parameters) => {
  const text = new URLSearchParams(parameters).toString();
  return text && `?${text}`;
};

// One WebSocket and what came over it.
export class LiveSocket {
  frames = [];
  closed = null; // {code, reason}

  // Resolves when it is open; rejects with {status, body} when the handshake is refused.
  static open(gateway, parameters = {}) {
    const socket = new LiveSocket(`ws://${gateway.rest}${PATH}${query(parameters)}`);
    return new Promise((resolve, reject) => {
      socket.ws.on('open', () => resolve(socket));
      socket.ws.on('error', reject);
      socket.ws.on('unexpected-response', (request, response) => {
        let body = '';
        response.on('data', (data) => { body += data; });
        response.on('end', () => reject(Object.assign(new Error(body), {status: response.statusCode, body})));
      });
    });
  }

  constructor(url) {
    this.ws = new WebSocket(url);
    this.ws.on('message', (data) => this.frames.push({...JSON.parse(data), at: Date.now()}));
    this.ws.on('close', (code, reason) => { this.closed = {code, reason: reason.toString()}; });
  }

  say(frame) {
    this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  of(type) {
    return this.frames.filter((frame) => frame.type === type);
  }

  get ids() {
    return this.of('event').map((frame) => frame.data.event_id);
  }

  until(what, probe, options) {
    return until(what, () => probe(this), options);
  }

  close() {
    this.ws.terminate();
  }
}

// An EventSource, which connects again by itself, and what came over it.
export class LiveSource {
  events = []; // {id, data}
  opened = 0;

  constructor(gateway, parameters = {}) {
    this.source = new EventSource(`http://${gateway.rest}${PATH}${query(parameters)}`);
    this.source.addEventListener('open', () => { ++this.opened; });
    this.source.addEventListener('event', (event) => {
      this.events.push({id: Number(event.lastEventId), ...JSON.parse(event.data)});
    });
  }

  get positions() {
    return this.events.map((event) => event.position);
  }

  close() {
    this.source.close();
  }
}
