// A reader that follows the log by position, through every fault: it must never miss an event that is
// committed later under a position it has passed.

import {Database} from './database.mjs';
import {Poller} from './poller.mjs';

const PAGE = 2000;
const NEWER = 'SELECT position, event_id FROM event_ids WHERE position > $1 ORDER BY position LIMIT $2';

export class LogFollower extends Poller {
  constructor(url) {
    super();
    this.database = new Database(url);
  }

  ids = []; // of positions 1, 2, 3, ...
  times = []; // when each was seen, in ms
  gaps = []; // what should not have been

  // How many events came; none while the database is away.
  async read() {
    let rows;
    try {
      rows = await this.database.rows(NEWER, this.ids.length, PAGE);
    } catch {
      return 0;
    }
    for (const row of rows) {
      if (row.position !== this.ids.length + 1) this.gaps.push(`${row.position} follows ${this.ids.length}`);
      this.ids.push(row.event_id);
      this.times.push(Date.now());
    }
    return rows.length;
  }
}
