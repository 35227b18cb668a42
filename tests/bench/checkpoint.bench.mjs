// What a checkpoint costs: how long the agent rests while it is saved, and the bytes that its record, its memory and
// its event take; and that both are the same for the last hundred of a task as for the first. One task whose agent
// calls a tool again and again, on the real App Server; a checkpoint after each call, all kept.

import {pause} from '../e2e/support/wait.mjs';
import {BenchBridge} from './support/letta_bridge.mjs';
import {Row} from './support/report.mjs';

const SIZE = `
  SELECT pg_total_relation_size('letta_checkpoints') + pg_total_relation_size('letta_memories')
    + (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('events'))::bigint AS bytes`;

// A conversation of a thousand calls comes near 128,000 tokens, where Letta would sum it up.
async function withoutCompaction(letta, agent) {
  const client = await letta.connect();
  await client.call({type: 'agent_update', agent_id: agent, body: {context_window_limit: 10_000_000}});
  client.close();
}

export async function bench(run) {
  const checkpoints = run.size(1000, 6);
  const edge = run.size(100, 2); // how many are the first, and the last
  const letta = await run.letta();
  const bridge = await BenchBridge.start(run, await run.database('checkpointed'), letta,
    {GOD33_CHECKPOINT_MESSAGES: '1', GOD33_CHECKPOINTS_KEPT: '0'});
  await bridge.untilDone(await bridge.handOver()); // makes an agent
  await withoutCompaction(letta, await bridge.value('SELECT agent_id FROM letta_agents'));
  const rests = new Row({what: 'checkpoint, the agent rests', unit: 'ms'});
  const bytes = new Row({what: 'checkpoint, record, memory and event', unit: 'B'});
  const flat = new Row({what: `the last ${edge} checkpoints of ${checkpoints} in one task, against the first`,
    unit: 'ms', must: {most: 1.5}, aim: 'flat'});
  const flatBytes = new Row({what: 'the same, bytes', unit: 'B', must: {most: 1.5}, aim: 'flat'});

  // {count, ms, bytes} from the bridge's start on.
  const look = async () => {
    const metrics = await (await fetch(`http://${bridge.service.http}/metrics`)).text();
    const [count, seconds] = ['count', 'sum'].map((what) =>
      Number(metrics.match(new RegExp(`^god33_checkpoint_seconds_${what} (\\S+)$`, 'm'))[1]));
    return {count, ms: seconds * 1000, bytes: await bridge.value(SIZE)};
  };
  const each = (from, to, field) => (to[field] - from[field]) / (to.count - from.count);

  await run.repeat(async () => {
    const script = Array.from({length: checkpoints}, () => ({tool: 'list_files', arguments: {path: '.'}}));
    const task = await bridge.handOver({script});
    await bridge.untilNot('waiting', task);
    const looks = [await look()]; // the task itself is stored, with its script
    const begin = looks[0].count;
    // Between checkpoints: about once for each that comes.
    let done = false;
    const end = bridge.untilDone(task).finally(() => { done = true; });
    end.catch(() => {}); // told below
    while (!done) {
      await pause(run.size(50, 5));
      const seen = await look();
      if (seen.count > looks.at(-1).count) looks.push(seen);
    }
    await end;
    const last = looks.at(-1);
    if (last.count - begin < checkpoints) {
      throw new Error(`${last.count - begin} checkpoints instead of ${checkpoints}`);
    }
    const afterFirst = looks.find(({count}) => count - begin >= edge);
    const beforeLast = looks.findLast(({count}) => last.count - count >= edge);
    rests.add(each(looks[0], last, 'ms'));
    bytes.add(each(looks[0], last, 'bytes'));
    flat.add(each(beforeLast, last, 'ms'), each(looks[0], afterFirst, 'ms'));
    const firstBytes = each(looks[0], afterFirst, 'bytes');
    if (firstBytes > 0) flatBytes.add(each(beforeLast, last, 'bytes'), firstBytes);
    return `${rests.ours.at(-1).toFixed(1)} ms, ${bytes.ours.at(-1).toFixed(0)} B; ` +
      `first ${flat.floor.at(-1).toFixed(1)} ms, last ${flat.ours.at(-1).toFixed(1)} ms`;
  });
  await bridge.stop();
  return [rests, bytes, flat, ...(flatBytes.ours.length > 0 ? [flatBytes] : [])];
}
