// What a test file works with: servers and services of its own, all gone when it ends.

import {mkdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import {STATE_DIR} from './environment.mjs';
import {Servers} from './servers.mjs';
import {Service} from './service.mjs';

export class TestSet {
  // `name`: the test file's. With `migrate: false` the database is empty.
  static async start(name, options) {
    const set = new TestSet(path.join(STATE_DIR, name));
    rmSync(path.join(set.directory, 'log'), {recursive: true, force: true});
    mkdirSync(path.join(set.directory, 'log'), {recursive: true});
    set.servers = await Servers.start(path.join(set.directory, 'servers'), options);
    set.urls = set.servers.urls;
    return set;
  }

  constructor(directory) {
    this.directory = directory;
  }

  // A service that is not started yet. `environment` is added to what it needs.
  service(name, environment = {}, label = name) {
    const service = new Service(name, {...this.#environmentOf(name), ...environment},
      path.join(this.directory, 'log', `${label}.log`));
    this.#services.push(service);
    return service;
  }

  manager(environment, label) {
    return this.service('event-store-manager', environment, label).start();
  }

  api(environment, label) {
    return this.service('event-store-api', environment, label).start();
  }

  // The gateway in front of running services.
  gateway(manager, api, environment) {
    return this.service('gateway', {
      GOD33_EVENT_STORE_MANAGER_ADDR: manager.grpc,
      GOD33_EVENT_STORE_API_ADDR: api.grpc,
      ...environment,
    }).start();
  }

  // One of each, healthy: {manager, api, gateway}.
  async all(environment) {
    const manager = await this.manager(environment);
    const api = await this.api(environment);
    const gateway = await this.gateway(manager, api, environment);
    for (const service of [manager, api, gateway]) await service.untilHealthy();
    return {manager, api, gateway};
  }

  async end() {
    for (const service of this.#services) if (service.running) service.signal('SIGKILL');
    await this.servers.end();
    // Loops and connections that a failed test has left behind end here.
    setTimeout(() => process.exit(), 2000).unref();
  }

  #services = [];

  #environmentOf(name) {
    switch (name) {
      case 'event-store-manager':
      case 'letta-bridge':
      case 'letta-bridge-failpoints':
        return {DATABASE_URL: this.urls.DATABASE_URL, RABBITMQ_URL: this.urls.RABBITMQ_URL};
      case 'event-store-api':
        return {DATABASE_URL: this.urls.GOD33_READER_DATABASE_URL, RABBITMQ_URL: this.urls.RABBITMQ_URL};
      default:
        return {};
    }
  }
}
