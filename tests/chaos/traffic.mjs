// What producers publish, without end: workflows' events, some twice, some out of order, and messages that can't
// be stored.

import {canonical} from '../e2e/support/events.mjs';
import {story} from './story.mjs';

const STORIES = 12; // at a time
const AGAIN = 0.07;
const LATE = 0.06; // of the messages come after others that they caused
const MOST_LATE = 150; // messages
const POISON = 0.01;

const IN_BURST = {duplicates: {again: 1, twice: true}, reordering: {late: 0.6}, poison: {poison: 0.5}};

// Bodies that can't be stored, each another: [reasons that its dead letter may have, body].
const POISONS = [
  (n) => [['unreadable'], `poison ${n}`],
  (n) => [['unreadable'], JSON.stringify(canonical({payload: {n}})).slice(0, -2)],
  (n) => [['unreadable'], JSON.stringify([canonical({payload: {n}})])],
  (n) => [['invalid_envelope'], JSON.stringify(canonical({payload: [n]}))],
  (n) => [['invalid_envelope'], JSON.stringify(canonical({timestamp: 'yesterday', payload: {n}}))],
  (n) => [['invalid_envelope'], JSON.stringify(canonical({event_type: 'a..b', payload: {n}}))],
];

export class Traffic {
  // `stored()`: an event that is stored for sure, or undefined: its id under other content is a dead letter.
  constructor(random, stored) {
    this.#random = random;
    this.#stored = stored;
    this.#stories = Array.from({length: STORIES}, () => story(random));
  }

  bursts = new Set(); // those of IN_BURST that are on

  // {id, event, routingKey, body, again}, or for poison {id: null, reasons, routingKey, body}.
  next() {
    ++this.#count;
    const due = this.#late.findIndex((each) => each.due <= this.#count);
    if (due >= 0) return this.#late.splice(due, 1)[0].message;
    const bursts = [...this.bursts].map((name) => IN_BURST[name]);
    const rates = Object.assign({again: AGAIN, late: LATE, poison: POISON}, ...bursts);
    if (this.#random.chance(rates.poison)) return this.#poison();
    const message = this.#tell(rates);
    if (!this.#random.chance(rates.late)) return message;
    this.#late.push({due: this.#count + this.#random.between(1, MOST_LATE), message});
    return this.next();
  }

  #random;
  #stored;
  #stories;
  #late = [];
  #count = 0;

  #tell({again, twice}) {
    const n = this.#random.between(0, STORIES - 1);
    const {value, done} = this.#stories[n].next();
    if (done) {
      this.#stories[n] = story(this.#random);
      return this.#tell({again, twice});
    }
    const message = {id: value.event_id, event: value, routingKey: value.event_type, body: JSON.stringify(value),
      again: this.#random.chance(again)};
    if (twice) this.#late.push({due: this.#count + 1, message});
    return message;
  }

  #poison() {
    const taken = this.#stored();
    if (taken && this.#random.chance(0.2)) {
      const other = {...taken, payload: {other: this.#count}};
      const body = JSON.stringify(other);
      return {id: null, reasons: ['id_conflict'], routingKey: other.event_type, body, again: false};
    }
    const [reasons, body] = this.#random.pick(POISONS)(this.#count);
    return {id: null, reasons, routingKey: 'poison', body, again: false};
  }
}
