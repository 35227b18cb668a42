// Pages of the whole log, spread evenly, as a client may ask for them.

const LIMIT = 100;

// Asks for `count` pages: {step, paths (REST), requests (ListEvents as protobuf text), positions}. The page of index
// i begins behind position i * step + 1.
export async function spreadPages(gateway, stored, count) {
  const step = Math.floor((stored - LIMIT) / count);
  const positions = [];
  const tokens = [];
  for (let i = 0; i < count; ++i) {
    const url = `http://${gateway.rest}/api/v1/events?limit=1&offset=${i * step}`;
    const {events, next_page_token: token} = await (await fetch(url)).json();
    positions.push(events[0].position);
    tokens.push(token);
  }
  return {
    step,
    positions,
    paths: tokens.map((token) => `/api/v1/events?limit=${LIMIT}&page_token=${encodeURIComponent(token)}`),
    requests: tokens.map((token) => `limit: ${LIMIT} page_token: "${token}"`),
  };
}
