// Waiting for conditions, with a deadline. Nothing here sleeps in the hope that something has happened.

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls `probe` until it returns something true, and returns that. `what` completes the sentence "after N s
// still not: ...". A probe that throws counts as false; the last error is shown.
export async function until(what, probe, {within = 10_000, every = 50} = {}) {
  const deadline = Date.now() + within;
  let last = '';
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = '';
    } catch (error) {
      last = `; last: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(`after ${within / 1000} s still not: ${what}${last}`);
    await pause(every);
  }
}

// The promise's value, or an error after `within` ms.
export async function inTime(what, promise, within = 10_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${within / 1000} s still not: ${what}`)), within);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
