// Where the frames of a protocol begin in a stream of bytes, and how a frame is damaged so that whoever
// reads it can tell. A changed digit in a body is a valid message of other content: neither AMQP nor
// PostgreSQL nor HTTP/2 have checksums, so nobody but TLS could tell; therefore only framing is damaged.

// protocol: {opening: bytes before the first frame, or a function of the bytes there are;
//            header: bytes until the frame's length is known; length(header): bytes of the whole frame;
//            damage(frame, random): changes it}
const AMQP_END = 0xce;

// Every frame ends with the octet CE (AMQP 0-9-1, section 2.3.5); another one must close the connection.
const amqp = (opening) => ({
  opening,
  header: 7,
  length: (header) => 8 + header.readUInt32BE(3),
  damage: (frame) => { frame[frame.length - 1] = AMQP_END ^ 0x10; },
});

// A message of PostgreSQL is a type and a length that counts itself: less than 4 can't be.
const postgres = (opening, damage) => ({
  opening,
  header: 5,
  length: (header) => 1 + header.readUInt32BE(1),
  damage,
});

// A frame of HTTP/2 says its length in 24 bits; more than the peer allows (16 KiB to 4 MiB as gRPC sets it)
// is an error of the connection (RFC 9113, section 4.2).
const http2 = (opening) => ({
  opening,
  header: 9,
  length: (header) => 9 + header.readUIntBE(0, 3),
  damage: (frame) => { frame.writeUIntBE(0xffffff, 0, 3); },
});

// The startup message has a length only. Requests for encryption (8 bytes, refused by one byte) are not made:
// our URLs have sslmode=disable.
const startup = (bytes) => (bytes.length < 4 ? null : bytes.readUInt32BE(0));

// {requests, answers} by name.
export const PROTOCOLS = {
  amqp: {requests: amqp(8), answers: amqp(0)},
  postgres: {
    requests: postgres(startup, (frame) => { frame.writeUInt32BE(0x7fffffff, 1); }),
    answers: postgres(0, (frame) => { frame.writeUInt32BE(3, 1); }),
  },
  http2: {requests: http2(24), answers: http2(0)},
};

// Follows one direction of one connection.
export class Framing {
  constructor(protocol) {
    this.#protocol = protocol;
    this.#opening = protocol.opening;
  }

  // Passes bytes through. With `damage` the first frame that begins in `chunk` with its whole length there is
  // damaged. Returns {bytes, damaged}.
  pass(chunk, damage) {
    const all = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    let at = 0;
    let damaged = false;
    if (this.#opening !== 0) {
      const opening = typeof this.#opening === 'number' ? this.#opening : this.#opening(all);
      if (opening === null || all.length < opening) return this.#hold(all, 0, false);
      at = opening;
      this.#opening = 0;
    } else if (this.#rest > 0) {
      at = Math.min(this.#rest, all.length);
      this.#rest -= at;
    }
    while (this.#rest === 0 && at + this.#protocol.header <= all.length) {
      const length = this.#protocol.length(all.subarray(at, at + this.#protocol.header));
      if (damage && !damaged && at + length <= all.length) {
        this.#protocol.damage(all.subarray(at, at + length));
        damaged = true;
      }
      this.#rest = Math.max(0, at + length - all.length);
      at = Math.min(all.length, at + length);
    }
    return this.#hold(all, at, damaged);
  }

  #protocol;
  #opening;
  #rest = 0; // bytes of the frame that was begun
  #held = Buffer.alloc(0); // half a header

  #hold(all, at, damaged) {
    this.#held = Buffer.from(all.subarray(at));
    return {bytes: all.subarray(0, at), damaged};
  }
}
