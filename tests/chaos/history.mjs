// What a load has done and seen, as it happened: the account that a log is held against (check.mjs).
//
// A history is a directory of JSON-lines files, one a process that writes. Each line is an entry,
// {at (ms since 1970), kind, ...}, and is with the operating system when the method that wrote it returns: whatever
// then happens to the writer, it can be read. What is attempted is written before it is sent; what was answered or
// seen, after it came.
//
//     const history = History.open(directory, 'load');
//     history.attempted('amqp', [event]);                        // an event, its timestamp included
//     history.attempted('append', [event], {aggregate, expects});
//     history.attempted('bulk', events, {aggregate, expects});   // all or none, in this order, next to each other
//     const id = history.attemptedPoison(body, ['unreadable']);  // a message that must become a dead letter
//     history.confirmed(event.event_id, {position});             // or returned, refused, unknown
//     history.subscribed('ws-1', 0);                             // a stream client that begins behind position 0
//     history.seen('ws-1', position, event_id);
//     const fault = history.fault('kill', 'event-store-manager'); ...; fault.end();
//     history.close();

import {createHash} from 'node:crypto';
import {closeSync, mkdirSync, openSync, readSync, readdirSync, writeSync} from 'node:fs';
import path from 'node:path';

const EXTENSION = '.jsonl';
const READ_BYTES = 1 << 20;

// Kinds of entries, and what they hold beside `at` and `kind`.
export const KIND = {
  attempted: 'attempted', // id, via (amqp, append, bulk), digest; bulk: unit (its first id), n; aggregate, expects
  poison: 'poison', // id (see bodyId), bytes, reasons: what of is allowed
  confirmed: 'confirmed', // id; of appends: position
  returned: 'returned', // id
  refused: 'refused', // id, reason
  unknown: 'unknown', // id, reason
  subscribed: 'subscribed', // client, position
  seen: 'seen', // client, position, id
  ended: 'ended', // client, reason
  left: 'left', // client
  relayed: 'relayed', // id, position
  fault: 'fault', // n, fault, target, details
  faultOver: 'fault_over', // n, details
  note: 'note', // text, details
  closed: 'closed',
};

export class History {
  // A file of its own for `writer`, a name that nobody in this directory has had before.
  static open(directory, writer) {
    mkdirSync(directory, {recursive: true});
    return new History(openSync(path.join(directory, writer + EXTENSION), 'ax'));
  }

  constructor(file) {
    this.#file = file;
  }

  // ---- What is sent

  // Events that are about to be published ('amqp') or appended, alone ('append') or as one request ('bulk'), for the
  // first time or again. An event is {event_id, event_type, timestamp (RFC 3339), correlation_ids (each once, not its
  // own), payload (JSON text, or what JSON.stringify makes of it)}. `expects`: the version that the aggregate must have.
  attempted(via, events, {aggregate, expects} = {}) {
    this.#write(...events.map((event, n) => ({kind: KIND.attempted, id: event.event_id, via,
      digest: contentDigest(event), ...(via === 'bulk' && {unit: events[0].event_id, n}), aggregate,
      expects: expects === undefined ? undefined : Number(expects) + n})));
  }

  // A message that is about to be published and can't be stored; `reasons`: those that its dead letter may have.
  // Returns the id under which its outcome is told.
  attemptedPoison(body, reasons) {
    const bytes = Buffer.from(body);
    const id = bodyId(bytes);
    this.#write({kind: KIND.poison, id, bytes: bytes.length, reasons});
    return id;
  }

  // ---- What became of it: of each attempt one of these, by the same writer, or none if it does not live to see it

  // The broker took responsibility and returned nothing; or the append was answered, with this position.
  confirmed(id, {position} = {}) {
    this.#write({kind: KIND.confirmed, id, position: position === undefined ? undefined : Number(position)});
  }

  // The broker gave the message back: no queue took it.
  returned(id) {
    this.#write({kind: KIND.returned, id});
  }

  // The append was answered with an error after which nothing is stored, e.g. VERSION_CONFLICT.
  refused(id, reason) {
    this.#write({kind: KIND.refused, id, reason});
  }

  // A nack, a lost connection, UNAVAILABLE, a deadline: it may be stored or not.
  unknown(id, reason) {
    this.#write({kind: KIND.unknown, id, reason});
  }

  // ---- What stream clients saw. One client follows the whole log, through all its reconnects, in one file

  // A (re)connect that the server has accepted, behind `position`.
  subscribed(client, position) {
    this.#write({kind: KIND.subscribed, client, position: Number(position)});
  }

  seen(client, position, id) {
    this.#write({kind: KIND.seen, client, position: Number(position), id});
  }

  // The connection has ended; the client comes back.
  ended(client, reason) {
    this.#write({kind: KIND.ended, client, reason});
  }

  // The client went for good before the load's end. One that does not say so must have seen the log's last event.
  left(client) {
    this.#write({kind: KIND.left, client});
  }

  // ---- What a consumer of the bus saw: events with x-god33-position, in the order they came, redeliveries included.
  // Its queue is durable, bound before the first append, and acked after this.

  relayed(id, position) {
    this.#write({kind: KIND.relayed, id, position: Number(position)});
  }

  // ---- What was done to the set

  // A fault that begins, e.g. ('freeze', 'postgres', {seconds: 10}). Call end() on what this returns when it is over:
  // after a kill, when the process is started again.
  fault(fault, target, details) {
    const n = ++this.#faults;
    this.#write({kind: KIND.fault, n, fault, target, details});
    return {end: (how) => this.#write({kind: KIND.faultOver, n, details: how})};
  }

  // Whatever helps to understand the rest.
  note(text, details) {
    this.#write({kind: KIND.note, text, details});
  }

  // All has been written. A file that ends without this was left by a writer that died.
  close() {
    this.#write({kind: KIND.closed});
    closeSync(this.#file);
  }

  #file;
  #faults = 0;

  #write(...entries) {
    const at = Date.now();
    let text = '';
    for (const entry of entries) text += `${JSON.stringify({at, ...entry})}\n`;
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) written += writeSync(this.#file, bytes, written);
  }
}

// ---- Reading

// Files of a history, by writer.
export function writersOf(directory) {
  return new Map(readdirSync(directory).filter((name) => name.endsWith(EXTENSION)).sort()
    .map((name) => [name.slice(0, -EXTENSION.length), path.join(directory, name)]));
}

// The entries of a file in their order, without what a writer that died has left of its last line.
export function* entriesOf(file) {
  const descriptor = openSync(file, 'r');
  try {
    const chunk = Buffer.alloc(READ_BYTES);
    let rest = Buffer.alloc(0);
    for (;;) {
      const length = readSync(descriptor, chunk);
      if (length === 0) return;
      const bytes = Buffer.concat([rest, chunk.subarray(0, length)]);
      const end = bytes.lastIndexOf('\n');
      rest = bytes.subarray(end + 1);
      for (const line of bytes.subarray(0, Math.max(0, end)).toString().split('\n')) {
        if (line !== '') yield JSON.parse(line);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

// ---- What the same is known by, before it is sent and where it is stored

// Of an event's content: its type, instant, parents, and payload to the letter.
export function contentDigest({event_type: type, timestamp, correlation_ids: parents = [], payload}) {
  return digestOf({type, instant: instantOf(timestamp), parents,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload)});
}

// The same of what was read elsewhere; `instant`: microseconds since 1970, as text.
export function digestOf({type, instant, parents, payload}) {
  return createHash('sha256').update(JSON.stringify([type, instant, parents])).update(payload).digest('hex').slice(0, 16);
}

// Of a message's bytes, in the form of an event's id.
export function bodyId(bytes) {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32)
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// '2026-01-27T10:00:00.5Z' is '1769508000500000'.
function instantOf(timestamp) {
  const match = /^([^.]*?)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(timestamp);
  const seconds = match && Date.parse(match[1] + match[3]) / 1000;
  if (!Number.isInteger(seconds)) throw new Error(`no instant with a zone, to the microsecond: ${timestamp}`);
  return String(BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(6, '0')));
}
