// One thing that must hold, how often it was checked, and where it does not.

const MOST_SHOWN = 10;

export class Invariant {
  checked = 0;
  violated = 0;
  violations = []; // the first ones: {what, ...}: ids and positions to look for

  // `promise`: what holds, as a sentence.
  constructor(name, promise) {
    this.name = name;
    this.promise = promise;
  }

  // Checks one more case. `what` and `facts` are asked for only if it does not hold.
  expect(holds, what, facts = () => ({})) {
    ++this.checked;
    if (!holds) this.violate(what(), facts());
    return holds;
  }

  violate(what, facts = {}) {
    if (++this.violated <= MOST_SHOWN) this.violations.push({what, ...facts});
  }

  get verdict() {
    const {name, promise, checked, violated, violations} = this;
    return {name, promise, holds: violated === 0, checked, violated, violations};
  }
}
