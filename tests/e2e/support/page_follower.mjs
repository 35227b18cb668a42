// A reader that pages through the log by its tokens and asks for its last page again and again: what it has
// had of that page must stay as it was.

import {Poller} from './poller.mjs';

const LIMIT = 100;

export class PageFollower extends Poller {
  // `client`: of an event-store-api.
  constructor(client) {
    super();
    this.client = client;
  }

  seen = []; // [id, ms of arrival]
  errors = []; // what should not have been

  #token = '';
  #before = 0; // events on the pages before this one

  async read() {
    let page;
    try {
      page = await this.client.call('ListEvents', {limit: LIMIT, page_token: this.#token});
    } catch (error) {
      this.errors.push(`${error.code} ${error.reason}`);
      return 0;
    }
    const known = this.seen.length - this.#before;
    page.events.forEach(({event_id: id}, i) => {
      if (i >= known) this.seen.push([id, Date.now()]);
      else if (this.seen[this.#before + i][0] !== id) this.errors.push(`${id} is where another event was`);
    });
    if (page.next_page_token !== '') {
      this.#token = page.next_page_token;
      this.#before = this.seen.length;
    }
    return page.events.length - known;
  }
}
