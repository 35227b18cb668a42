// What stream clients and the consumer of the bus saw, against the stored log. Needs a ledger that checkLog has filled.

import {entriesOf, KIND, writersOf} from './history.mjs';
import {Invariant} from './invariant.mjs';
import {FLAG, NONE} from './ledger.mjs';

export function checkSights(directory, account, head) {
  const streams = new Invariant('streams', 'a stream client sees the log from where it began to its end: no gap, nothing ' +
    'twice, in order, through all reconnects');
  const bus = new Invariant('bus', 'what was appended is published at least once, first in the order of positions');
  const clients = [];
  for (const [writer, file] of writersOf(directory)) {
    const seen = new Clients(account.ledger, streams);
    const relay = new Relay(account.ledger, bus);
    for (const entry of entriesOf(file)) {
      seen.take(entry);
      if (entry.kind === KIND.relayed) relay.take(entry);
    }
    if (!account.cutOff.includes(writer)) seen.checkEnds(head);
    clients.push(...seen.all.values());
  }
  checkRelayed(account.ledger, bus);
  const sum = (name) => clients.reduce((total, client) => total + client[name], 0);
  return {invariants: [streams, bus],
    figures: {stream_clients: clients.length, connects: sum('connects'), seen: sum('seen')}};
}

// The stream clients of one writer.
class Clients {
  all = new Map(); // name: {from, last, seen, connects, left}

  constructor(ledger, streams) {
    this.#ledger = ledger;
    this.#streams = streams;
  }

  take(entry) {
    if (entry.kind === KIND.subscribed) this.#subscribed(entry);
    else if (entry.kind === KIND.seen) this.#seen(entry);
    else if (entry.kind === KIND.left) this.#of(entry).left = true;
  }

  checkEnds(head) {
    for (const [client, {last, left, connects}] of this.all) {
      if (left) continue;
      this.#streams.expect(last >= head, () => `${client} came to position ${last} of ${head} and no further, in ` +
        `${connects} connections`, () => ({client, position: last}));
    }
  }

  #ledger;
  #streams;

  #of({client}) {
    if (!this.all.has(client)) this.all.set(client, {from: null, last: 0, seen: 0, connects: 0, left: false, since: null});
    return this.all.get(client);
  }

  #subscribed(entry) {
    const client = this.#of(entry);
    ++client.connects;
    client.since = entry;
    if (client.from !== null) return;
    client.from = client.last = entry.position;
  }

  #seen(entry) {
    const client = this.#of(entry);
    const {position, id, at} = entry;
    const {last, since} = client;
    ++client.seen;
    const facts = () => ({client: entry.client, id, position, at: new Date(at).toISOString(), connection: client.connects,
      ...(since && {connected_behind: since.position, connected_at: new Date(since.at).toISOString()})});
    if (!this.#streams.expect(client.from !== null, () => `${entry.client} saw an event before it was subscribed`, facts)) {
      client.from = client.last = position - 1;
    } else if (position <= last) {
      this.#streams.violate(`${entry.client} saw position ${position} after ${last}: twice, or out of order`, facts());
      return;
    } else if (position > last + 1) {
      const missed = this.#ledger.at(last + 1);
      this.#streams.violate(`${entry.client} saw position ${position} after ${last}: it never saw ` +
        (position === last + 2 ? `${last + 1}` : `${last + 1} to ${position - 1}`),
      {...facts(), missed: missed === NONE ? null : this.#ledger.id(missed)});
    }
    client.last = position;
    const row = this.#ledger.at(position);
    const stored = row === NONE ? null : this.#ledger.id(row);
    this.#streams.expect(stored === id, () => (stored === null ?
      `${entry.client} saw an event at position ${position}, where none is stored` :
      `${entry.client} saw another event at position ${position} than the one that is stored there`),
    () => ({...facts(), stored}));
  }
}

// What the consumer of the bus has written.
class Relay {
  constructor(ledger, bus) {
    this.#ledger = ledger;
    this.#bus = bus;
  }

  take({id, position, at}) {
    const ledger = this.#ledger;
    const row = ledger.find(id);
    const facts = () => ({id, position, at: new Date(at).toISOString()});
    const stored = row === NONE ? 0 : ledger.position[row];
    if (!this.#bus.expect(stored === position, () => `published as position ${position}, but ` +
      (stored === 0 ? 'not stored' : `stored at ${stored}`), facts)) return;
    if (ledger.has(row, FLAG.relayed)) return;
    ledger.flags[row] |= FLAG.relayed;
    this.#bus.expect(position > this.#last, () => `position ${position} was published for the first time after ` +
      `${this.#last}`, facts);
    this.#last = position;
  }

  #ledger;
  #bus;
  #last = 0;
}

function checkRelayed(ledger, bus) {
  for (let row = 0; row < ledger.size; ++row) {
    if (ledger.position[row] === 0 || !ledger.has(row, FLAG.appended)) continue;
    bus.expect(ledger.has(row, FLAG.relayed), () => `appended at position ${ledger.position[row]}, and never published`,
      () => ({id: ledger.id(row), position: ledger.position[row]}));
  }
}
