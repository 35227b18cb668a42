// From the publication of a hand-off, with confirms, to the commit of its agent.handoff.accepted, on the real App
// Server and with a warm pool: one at a time, its agent being free. The floor is what the server alone takes to
// attach a new conversation of an agent: one runtime_start. Both in turns, on the same server.

import {BenchBridge} from './support/letta_bridge.mjs';
import {median, quantile, Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

const WARM_UP = 2;

export async function bench(run) {
  const handoffs = run.size(60, 3);
  const letta = await run.letta();
  const bridge = await BenchBridge.start(run, await run.database('handed'), letta);
  const client = await letta.connect();
  const {agent} = await client.call({type: 'agent_create', body: {name: 'bare', model: letta.model, tools: [],
    include_base_tools: false, memory_blocks: [{label: 'persona', value: 'I am bare.'}]}});
  const accept = async () => {
    const began = performance.now();
    const task = await bridge.handOver();
    await bridge.untilNot('waiting', task);
    const ms = performance.now() - began;
    await bridge.untilDone(task);
    return ms;
  };
  const attach = async () => {
    const began = performance.now();
    await client.call({type: 'runtime_start', agent_id: agent.id, create_conversation: {body: {}}, mode: 'standard'});
    return performance.now() - began;
  };
  for (let i = 0; i < WARM_UP; ++i) {
    await accept();
    await attach();
  }
  const what = 'hand-off to accepted event, against a bare runtime_start';
  const p95 = new Row({what: `${what}, p95`, unit: 'ms', aim: '<= 2'});
  const p50 = new Row({what: `${what}, median`, unit: 'ms'});
  await run.repeat(async () => {
    const [ours, floor] = [[], []];
    for (let i = 0; i < handoffs; ++i) {
      const took = await inTurns(i % 2 === 0, accept, attach);
      ours.push(took.ours);
      floor.push(took.floor);
    }
    p95.add(quantile(ours, 0.95), quantile(floor, 0.95));
    p50.add(median(ours), median(floor));
    return `p95 ${p95.ours.at(-1).toFixed(0)} ms, runtime_start ${p95.floor.at(-1).toFixed(0)} ms; ` +
      `median ${p50.ours.at(-1).toFixed(0)} ms, ${p50.floor.at(-1).toFixed(0)} ms`;
  });
  client.close();
  await bridge.stop();
  return [p95, p50];
}
