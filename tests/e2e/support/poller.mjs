// A reader that asks again and again for what is new, through every fault.

import {pause} from './wait.mjs';

export class Poller {
  start() {
    this.#running = true;
    this.#done = this.#run();
    return this;
  }

  // Ends when nothing new is there.
  async finish() {
    this.#running = false;
    await this.#done;
  }

  // To be given by the reader: takes what is new, and returns how much there was; 0 also when it can't be asked for.
  // async read()

  #running = false;
  #done;

  async #run() {
    for (;;) {
      const last = !this.#running;
      const found = await this.read();
      if (last && found === 0) return;
      await pause(20);
    }
  }
}
