// Connects a model provider with the Letta App Server at LETTA_SERVER_URL: PROVIDER (its id there), PROVIDER_URL
// (its base URL, "" for the provider's own) and PROVIDER_KEY. Run by letta.sh with the Node.js of that server.
//
//   letta_provider.mjs keep       only if the server has not got it with that URL; its key can't be asked for
//   letta_provider.mjs connect    in any case

const {LETTA_SERVER_URL, PROVIDER, PROVIDER_URL, PROVIDER_KEY} = process.env;
const TIMEOUT_MS = 15_000;

const socket = new WebSocket(`${LETTA_SERVER_URL}/ws`);
setTimeout(() => fail(`no answer from ${LETTA_SERVER_URL} within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS).unref();
socket.onerror = () => fail(`can't connect to ${LETTA_SERVER_URL}`);
await new Promise((resolve) => { socket.onopen = resolve; });

const {providers} = await ask({type: 'list_connect_providers', target: 'local'});
const entry = providers.find(({id}) => id === PROVIDER);
if (!entry) fail(`Letta knows no provider '${PROVIDER}' (GOD33_LETTA_PROVIDER); it knows: ${providers.map(({id}) => id).join(', ')}`);
const fields = {...(PROVIDER_URL && {baseUrl: PROVIDER_URL}), ...(PROVIDER_KEY && {apiKey: PROVIDER_KEY})};
const asked = (entry.fields ?? []).map(({key}) => key);
for (const [field, setting] of [['baseUrl', 'GOD33_LETTA_PROVIDER_URL'], ['apiKey', 'GOD33_LETTA_PROVIDER_KEY']]) {
  if (field in fields && !asked.includes(field)) fail(`Letta's provider '${PROVIDER}' takes no ${setting}`);
}
const {is_connected: connected, base_url: url} = entry.connected;
if (process.argv[2] !== 'keep' || !connected || (PROVIDER_URL && url !== PROVIDER_URL)) {
  await ask({type: 'connect_provider', target: 'local', provider_id: PROVIDER, fields});
  console.log(`${PROVIDER} connected`);
}
socket.close();

// The response to a command.
function ask(command) {
  return new Promise((resolve) => {
    socket.onmessage = ({data}) => {
      const frame = JSON.parse(data);
      if (frame.request_id !== command.type) return;
      if (!frame.success) fail(`${command.type}: ${frame.error}`);
      resolve(frame);
    };
    socket.send(JSON.stringify({request_id: command.type, ...command}));
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
