// Events as their producers write them.

import {createHash, randomUUID} from 'node:crypto';

export const EXCHANGE = 'bloodbank.events.v1';
export const QUEUE = 'event_store_manager_queue';
export const DEAD_LETTER_QUEUE = 'event_store_manager_dlq';

// The canonical envelope of notes on the wire, as an object; `fields` replace its own.
export function canonical(fields = {}) {
  return {
    event_id: randomUUID(),
    event_type: 'fireflies.transcript.ready',
    timestamp: '2026-01-27T10:00:00.123456Z',
    version: '1.0.0',
    source: {host: 'h', type: 'manual', app: 'bloodbank-cli', meta: null},
    correlation_ids: [],
    agent_context: null,
    payload: {},
    ...fields,
  };
}

// The same as text, with this text as the payload.
export function canonicalText(fields, payload) {
  const {payload: _, ...rest} = canonical(fields);
  return `${JSON.stringify(rest).slice(0, -1)},"payload":${payload}}`;
}

const NAMESPACE_OID = Buffer.from('6ba7b8129dad11d180b400c04fd430c8', 'hex');

// RFC 9562, version 5.
export function uuid5(name) {
  const bytes = createHash('sha1').update(NAMESPACE_OID).update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
