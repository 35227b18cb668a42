// A small set in which one service goes wrong: on servers that several share, with a database and a virtual host of
// its own. manager-1 consumes, relays and folds as long as it lives; manager-2 stands by.

import path from 'node:path';
import {mkdirSync} from 'node:fs';
import {Database} from '../e2e/support/database.mjs';
import {Service} from '../e2e/support/service.mjs';

const TEMPLATE = 'event_store';

export class FailpointSet {
  // `executables`: by name of the service what it runs and which failpoints are on: {name, failpoints}.
  static async start(servers, name, directory, executables) {
    const set = new FailpointSet(servers, name, directory);
    await set.#start(executables);
    return set;
  }

  constructor(servers, name, directory) {
    this.servers = servers;
    this.directory = directory;
    this.urls = Object.fromEntries(Object.entries(servers.urls).map(([variable, url]) => [variable, ownOf(url, name)]));
    this.#name = name;
  }

  services = new Map(); // by name
  proxies = new Map(); // there is none: the gateway's own address

  // What has to be well at the end.
  get checked() {
    const services = new Set(this.services.values());
    return {urls: this.urls, servers: this.servers, services: [...services].filter((service) => service.running)};
  }

  get admin() {
    return new Database(this.urls.GOD33_ADMIN_DATABASE_URL);
  }

  rabbitUrl() {
    return this.urls.RABBITMQ_URL;
  }

  end() {
    for (const service of this.services.values()) if (service.running) service.signal('SIGKILL');
  }

  #name;

  async #start(executables) {
    await new Database(this.servers.urls.GOD33_ADMIN_DATABASE_URL.replace(/\/[^/]*$/, '/postgres'))
      .rows(`CREATE DATABASE ${this.#name} TEMPLATE ${TEMPLATE} OWNER god33_migrator`);
    await this.#makeVirtualHost();
    mkdirSync(this.directory, {recursive: true});
    const {DATABASE_URL, RABBITMQ_URL, GOD33_READER_DATABASE_URL} = this.urls;
    const manager = {DATABASE_URL, RABBITMQ_URL};
    await this.#service('manager-1', executables.manager, manager);
    const api = await this.#service('api-1', executables.api, {DATABASE_URL: GOD33_READER_DATABASE_URL});
    this.services.set('api-2', api);
    await this.#service('manager-2', {name: 'event-store-manager-failpoints'}, manager);
    const address = (service) => this.services.get(service).grpc;
    const gateway = await this.#service('gateway', {name: 'gateway'}, {
      GOD33_EVENT_STORE_MANAGER_ADDR: `ipv4:${address('manager-1')},${address('manager-2')}`,
      GOD33_EVENT_STORE_API_ADDR: `ipv4:${api.grpc}`,
    });
    this.proxies.set('clients>gateway', {address: gateway.rest});
  }

  async #service(name, {name: executable, failpoints = ''}, environment) {
    const service = new Service(executable, {...environment, GOD33_FAILPOINTS: failpoints},
      path.join(this.directory, `${name}.log`));
    this.services.set(name, service);
    await service.start();
    await service.untilHealthy();
    return service;
  }

  async #makeVirtualHost() {
    const {username, password, origin} = new URL(this.servers.urls.GOD33_RABBITMQ_MANAGEMENT_URL);
    const put = async (what, body) => {
      const response = await fetch(`${origin}/api/${what}`, {method: 'PUT', body: JSON.stringify(body),
        headers: {'Content-Type': 'application/json', Authorization: `Basic ${btoa(`${username}:${password}`)}`}});
      if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
    };
    await put(`vhosts/${this.#name}`, {});
    await put(`permissions/${this.#name}/${username}`, {configure: '.*', write: '.*', read: '.*'});
  }
}

// The URL of a server's own database or virtual host.
function ownOf(text, name) {
  if (!/^(amqp|postgresql):/.test(text)) return text;
  const url = new URL(text);
  url.pathname = `/${name}`;
  return url.toString();
}
