// What is known of each id, in columns: some 100 bytes an id, so that millions fit.

const FIRST_ROOM = 1024;

// Bits of `flags`.
export const FLAG = {
  // What the history says.
  attempted: 1 << 0, overBus: 1 << 1, byCall: 1 << 2, poison: 1 << 3,
  confirmed: 1 << 4, returned: 1 << 5, refused: 1 << 6, idConflict: 1 << 7, unknown: 1 << 8,
  // What the store says.
  appended: 1 << 9, inIds: 1 << 10, dead: 1 << 11,
  // What the consumer of the bus says.
  relayed: 1 << 12,
};

const COLUMNS = {
  flags: Uint16Array,
  attempts: Uint16Array, // at most 65,535 are counted
  deadLetters: Uint16Array,
  digestHigh: Uint32Array, // of the first attempt's content
  digestLow: Uint32Array,
  unit: Uint32Array, // 1 + the row of the bulk's first event; 0: none
  place: Uint16Array, // in the bulk
  aggregate: Uint32Array, // 1 + index of its name; 0: none
  expects: Int32Array, // version; NONE: any
  answered: Float64Array, // position that an append was answered with; 0: none
  position: Float64Array, // where it is stored; 0: nowhere
};

export const NONE = -1;

// A row is a small number: 0, 1, 2, ... in the order in which ids were added.
export class Ledger {
  size = 0;

  constructor() {
    for (const [name, Type] of Object.entries(COLUMNS)) this[name] = new Type(FIRST_ROOM);
  }

  // The id's row, or NONE.
  find(id) {
    this.#parse(id);
    return this.#slots[this.#slotOf()] - 1;
  }

  // The id's row, which is made if it is not there.
  add(id) {
    this.#parse(id);
    const slot = this.#slotOf();
    if (this.#slots[slot] !== 0) return this.#slots[slot] - 1;
    const row = this.size++;
    if (row === this.flags.length) this.#grow();
    this.#keys.set(this.#key, 4 * row);
    this.expects[row] = NONE;
    this.#slots[slot] = row + 1;
    if (2 * this.size > this.#slots.length) this.#spread();
    return row;
  }

  has(row, flag) {
    return (this.flags[row] & flag) !== 0;
  }

  id(row) {
    const hex = Array.from(this.#keys.subarray(4 * row, 4 * row + 4), (part) => part.toString(16).padStart(8, '0'));
    return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  // The row of the event at a position, or NONE.
  at(position) {
    return position < this.#positions.length ? this.#positions[position] - 1 : NONE;
  }

  store(row, position) {
    if (position >= this.#positions.length) this.#positions = copy(this.#positions, 2 * position);
    this.position[row] = position;
    this.#positions[position] = row + 1;
  }

  #keys = new Uint32Array(4 * FIRST_ROOM);
  #slots = new Uint32Array(2 * FIRST_ROOM); // 1 + row; a power of two
  #positions = new Uint32Array(FIRST_ROOM); // 1 + row
  #key = new Uint32Array(4);

  #parse(id) {
    this.#key[0] = parseInt(id.slice(0, 8), 16);
    this.#key[1] = parseInt(id.slice(9, 13) + id.slice(14, 18), 16);
    this.#key[2] = parseInt(id.slice(19, 23) + id.slice(24, 28), 16);
    this.#key[3] = parseInt(id.slice(28, 36), 16);
  }

  // Where #key is, or may be put.
  #slotOf() {
    const [a, b, c, d] = this.#key;
    const mask = this.#slots.length - 1;
    for (let slot = hash(a, b, c, d) & mask; ; slot = (slot + 1) & mask) {
      if (this.#slots[slot] === 0) return slot;
      const at = 4 * (this.#slots[slot] - 1);
      const keys = this.#keys;
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return slot;
    }
  }

  #grow() {
    for (const name of Object.keys(COLUMNS)) this[name] = copy(this[name], 2 * this[name].length);
    this.#keys = copy(this.#keys, 2 * this.#keys.length);
  }

  #spread() {
    this.#slots = new Uint32Array(2 * this.#slots.length);
    for (let row = 0; row < this.size; ++row) {
      this.#key.set(this.#keys.subarray(4 * row, 4 * row + 4));
      this.#slots[this.#slotOf()] = row + 1;
    }
  }
}

function copy(column, length) {
  const longer = new column.constructor(length);
  longer.set(column);
  return longer;
}

// Of ids of every version the parts are mixed: some begin with the time.
function hash(a, b, c, d) {
  const head = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0xc2b2ae35);
  const mixed = head ^ Math.imul(c ^ Math.imul(d, 0x27d4eb2f), 0x165667b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
