// Messages that can't be stored, one of each kind: {kind, routingKey, body, properties, reason}.

import {randomUUID} from 'node:crypto';
import {canonical, canonicalText} from './events.mjs';

const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);

const json = (fields) => JSON.stringify(canonical(fields));

// A payload with these bytes as its only key.
const withKey = (bytes) => {
  const [head, tail] = canonicalText({}, '{"KEY":1}').split('KEY');
  return Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)]);
};

const without = (name) => {
  const event = canonical();
  delete event[name];
  return JSON.stringify(event);
};

// `client` encodes protobuf.
export function poison(client) {
  const type = 'fireflies.transcript.ready';
  const text = canonicalText({}, '{"a":1}');
  const of = (reason, kinds) => Object.entries(kinds).map(([kind, body]) =>
    ({kind, routingKey: type, body: Buffer.from(body), reason}));
  const protobuf = {contentType: 'application/protobuf'};
  return [
    ...of('unreadable', {
      'no JSON': 'hello',
      'nothing at all': '',
      'half a JSON text': text.slice(0, -20),
      'two JSON texts': text + text,
      'a comma too many': text.replace('{"a":1}', '{"a":1,}'),
      'a number with a leading zero': text.replace('1}', '01}'),
      'NaN': text.replace('1}', 'NaN}'),
      'a control character in a string': text.replace('"a"', '"a\n"'),
      'half an escape': text.replace('"a"', String.raw`"\u12"`),
      'an array': `[${text}]`,
      'a string': '"event"',
      'a number': '42',
      'null': 'null',
      'invalid UTF-8 in a string': withKey([0xff, 0xfe]),
      'an overlong NUL': withKey([0xc0, 0x80]),
      'a surrogate in UTF-8': withKey([0xed, 0xa0, 0x80]),
      'UTF-16': Buffer.from(`\ufeff${text}`, 'utf16le'),
      'zeros': Buffer.alloc(1000),
      'nesting of 5000 levels': canonicalText({}, `{"deep":${nested(5000)}}`),
      'nesting of a million levels': nested(1_000_000),
    }),
    ...of('invalid_envelope', {
      'no type': without('event_type'),
      'no time': without('timestamp'),
      'no payload': without('payload'),
      'a payload that is an array': json({payload: [1, 2]}),
      'a payload that is a string': json({payload: '{}'}),
      'a payload that is null': json({payload: null}),
      'a type that is a number': json({event_type: 7}),
      'an empty type': json({event_type: ''}),
      'a type with a blank': json({event_type: 'a b'}),
      'a type with a wildcard': json({event_type: 'a.*'}),
      'a type with an empty word': json({event_type: 'a..b'}),
      'a type with NUL': json({event_type: 'a.\u0000'}),
      'a type of 256 characters': json({event_type: 'a'.repeat(256)}),
      'a time that is a word': json({timestamp: 'now'}),
      'a time that is a number': json({timestamp: 1769508000}),
      'a day that does not exist': json({timestamp: '2026-02-30T00:00:00Z'}),
      'a year of five digits': json({timestamp: '12026-01-01T00:00:00Z'}),
      'an id that is no UUID': json({event_id: 'e-1'}),
      'an id that is a number': json({event_id: 5}),
      'a version that is an object': json({version: {}}),
      'a long version': json({version: 'v'.repeat(21)}),
      'more parents than allowed': json({correlation_ids: Array.from({length: 1001}, () => randomUUID())}),
    }),
    {kind: 'protobuf that is none', routingKey: type, body: Buffer.from([0xff, 1, 2, 3]), properties: protobuf,
      reason: 'unreadable'},
    {kind: 'JSON that says it is protobuf', routingKey: type, body: Buffer.from(json()), properties: protobuf,
      reason: 'unreadable'},
    {kind: 'protobuf without an id', routingKey: type, properties: protobuf, reason: 'invalid_envelope',
      body: client.encode('god33.event.v1.EventEnvelope', {event_type: type, payload: {text: '{}'}})},
    {kind: 'protobuf with a broken payload', routingKey: type, properties: protobuf, reason: 'invalid_envelope',
      body: client.encode('god33.event.v1.EventEnvelope', {event_id: randomUUID(), event_type: type,
        timestamp: {seconds: 1}, source: {host: 'h', type: 't'}, payload: {text: '{"a":'}})},
    {kind: '20 MB', routingKey: type, body: Buffer.from(canonicalText({}, `{"large":"${'x'.repeat(20_000_000)}"}`)),
      reason: 'too_large'},
  ];
}
