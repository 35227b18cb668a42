// A history read into a ledger: of each id what was attempted and what was answered.

import {entriesOf, KIND, writersOf} from './history.mjs';
import {FLAG, Ledger} from './ledger.mjs';

export class Account {
  ledger = new Ledger();
  aggregates = []; // names
  reasons = new Map(); // poison's row: the reasons that its dead letter may have
  others = new Map(); // row: {digests, expects}, of events that were attempted in more than one way
  figures = {attempts: 0, poison: 0, confirmed: 0, returned: 0, refused: 0, unknown: 0, faults: {}};
  cutOff = []; // writers that died
  lastAt = 0; // ms since 1970 of the last attempt, or the last begin or end of a fault

  static read(directory) {
    const account = new Account();
    for (const [writer, file] of writersOf(directory)) {
      let kind;
      for (const entry of entriesOf(file)) {
        ({kind} = entry);
        account.#take(entry);
      }
      if (kind !== KIND.closed) account.cutOff.push(writer);
    }
    return account;
  }

  // Whether the event was ever attempted with this content, or with this expected version.
  hasDigest(row, digest) {
    const {digestHigh, digestLow} = this.ledger;
    return (digestHigh[row] === high(digest) && digestLow[row] === low(digest)) ||
      (this.others.get(row)?.digests.has(digest) ?? false);
  }

  hasExpected(row, version) {
    return this.ledger.expects[row] === version || (this.others.get(row)?.expects.has(version) ?? false);
  }

  #names = new Map();

  #take(entry) {
    switch (entry.kind) {
      case KIND.attempted:
        this.#attempted(entry);
        break;
      case KIND.poison:
        this.#poison(entry);
        break;
      case KIND.confirmed:
        this.#outcome(entry, FLAG.confirmed);
        if (entry.position !== undefined) this.ledger.answered[this.ledger.find(entry.id)] = entry.position;
        break;
      case KIND.returned:
        this.#outcome(entry, FLAG.returned);
        break;
      case KIND.refused:
        this.#outcome(entry, FLAG.refused | (entry.reason === 'ID_CONFLICT' ? FLAG.idConflict : 0));
        break;
      case KIND.unknown:
        this.#outcome(entry, FLAG.unknown);
        break;
      case KIND.fault:
        this.figures.faults[entry.fault] = (this.figures.faults[entry.fault] ?? 0) + 1;
        this.#latest(entry);
        break;
      case KIND.faultOver:
        this.#latest(entry);
        break;
      default: // sights.mjs reads what was seen
    }
  }

  #attempted(entry) {
    const {ledger} = this;
    const row = this.#attempt(entry, FLAG.attempted);
    const {via, digest, unit, n, aggregate, expects} = entry;
    ledger.flags[row] |= via === 'amqp' ? FLAG.overBus : FLAG.byCall;
    if (ledger.attempts[row] === 1) {
      ledger.digestHigh[row] = high(digest);
      ledger.digestLow[row] = low(digest);
      if (expects !== undefined) ledger.expects[row] = expects;
    } else if (!this.hasDigest(row, digest) || (expects !== undefined && !this.hasExpected(row, expects))) {
      if (!this.others.has(row)) this.others.set(row, {digests: new Set(), expects: new Set()});
      this.others.get(row).digests.add(digest);
      if (expects !== undefined) this.others.get(row).expects.add(expects);
    }
    if (unit !== undefined) {
      ledger.unit[row] = 1 + ledger.find(unit);
      ledger.place[row] = n;
    }
    if (aggregate !== undefined) ledger.aggregate[row] = this.#nameOf(aggregate);
  }

  #poison(entry) {
    ++this.figures.poison;
    this.reasons.set(this.#attempt(entry, FLAG.poison), entry.reasons);
  }

  #attempt(entry, flag) {
    ++this.figures.attempts;
    this.#latest(entry);
    const row = this.ledger.add(entry.id);
    this.ledger.flags[row] |= flag;
    if (this.ledger.attempts[row] < 0xffff) ++this.ledger.attempts[row];
    return row;
  }

  #outcome({kind, id}, flags) {
    ++this.figures[kind];
    const row = this.ledger.find(id);
    if (row < 0) throw new Error(`the history tells that ${id} was ${kind}, but not that it was attempted`);
    this.ledger.flags[row] |= flags;
  }

  #nameOf(aggregate) {
    if (!this.#names.has(aggregate)) this.#names.set(aggregate, this.aggregates.push(aggregate));
    return this.#names.get(aggregate);
  }

  #latest({at}) {
    this.lastAt = Math.max(this.lastAt, at);
  }
}

const high = (digest) => parseInt(digest.slice(0, 8), 16);
const low = (digest) => parseInt(digest.slice(8), 16);
