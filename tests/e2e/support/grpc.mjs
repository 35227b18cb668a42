// gRPC with nothing but server reflection: no proto of ours is read.

import grpc from '@grpc/grpc-js';
import reflection from 'grpc-js-reflection-client';

const SERVICE = 'god33.store.v1.EventStoreService';

// 64-bit numbers as texts, fields under their own names, absent messages as null.
const TYPES = {keepCase: true, longs: String, enums: String, defaults: true, oneofs: true};

export class EventStoreClient {
  // Asks the server what it serves. `service`: which of them is called.
  static async discover(address, service = SERVICE) {
    const server = new reflection.GrpcReflection(address, grpc.credentials.createInsecure());
    const services = await server.listServices();
    const descriptor = await server.getDescriptorBySymbol(service);
    const errors = (await server.getDescriptorBySymbol('google.rpc.ErrorInfo')).getProtobufJsRoot();
    const status = (await server.getDescriptorBySymbol('google.rpc.Status')).getProtobufJsRoot();
    server.client.close();
    return new EventStoreClient(address, {
      services,
      Client: service.split('.').reduce((space, name) => space[name], descriptor.getPackageObject(TYPES)),
      messages: descriptor.getProtobufJsRoot(),
      Status: status.lookupType('google.rpc.Status'),
      ErrorInfo: errors.lookupType('google.rpc.ErrorInfo'),
    });
  }

  constructor(address, discovered) {
    this.address = address;
    this.discovered = discovered;
    this.services = discovered.services;
    this.client = new discovered.Client(address, grpc.credentials.createInsecure());
  }

  // The same service somewhere else.
  at(address) {
    return new EventStoreClient(address, this.discovered);
  }

  methods() {
    return Object.keys(this.discovered.Client.service);
  }

  // Resolves to the response; rejects with {code: 'ABORTED', reason, field, message}.
  call(method, request, {deadline = 30_000} = {}) {
    return new Promise((resolve, reject) => {
      this.client[method](request, {deadline: Date.now() + deadline}, (error, response) =>
        error ? reject(this.#explain(method, error)) : resolve(response));
    });
  }

  // A call with many responses: `onFrame(response)` for each, then `onEnd(error)`, as in call(); an end
  // without an error is {code: 'OK'}. Returns what cancel(), pause() and resume() work on.
  stream(method, request, {onFrame, onEnd}) {
    const stream = this.client[method](request);
    let ended = false;
    const end = (error) => {
      if (!ended) onEnd(error);
      ended = true;
    };
    stream.on('data', (frame) => { if (!ended) onFrame(frame); });
    stream.on('error', (error) => end(this.#explain(method, error)));
    stream.on('end', () => setImmediate(end, {code: 'OK'}));
    return stream;
  }

  // A message of a reflected type as protobuf bytes; field names as in the proto.
  encode(type, value) {
    const message = this.discovered.messages.lookupType(type);
    const problem = message.verify(value);
    if (problem) throw new Error(`${type}: ${problem}`);
    return Buffer.from(message.encode(message.fromObject(value)).finish());
  }

  close() {
    this.client.close();
  }

  #explain(method, error) {
    const explained = new Error(`${method}: ${error.message}`);
    explained.code = grpc.status[error.code];
    const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
    if (bytes) {
      const {Status, ErrorInfo} = this.discovered;
      const info = ErrorInfo.decode(Status.decode(bytes).details[0].value);
      Object.assign(explained, {reason: info.reason, domain: info.domain, field: info.metadata.field,
        metadata: info.metadata});
    }
    return explained;
  }
}
