// Commands in the documentation work as they are written: every ```sh block of every Markdown file is run, in its
// order, on a set that ./dev has started.

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {after, before, describe, test} from 'node:test';
import {Publisher} from './support/bus.mjs';
import {DevSet} from './support/dev_set.mjs';
import {ROOT, STATE_DIR} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {until} from './support/wait.mjs';

// Commands that play the agent which takes the next hand-off over.
const AGENT = `after=$(god33 event list --order desc --limit 1 -o jsonl | jq .position)
  (handoff=$(god33 event stream --type bmad.workflow.handoff.requested --after "$after" --max 1 -o jsonl 2>/dev/null |
      jq -r .event_id)
    god33 event publish agent.letta.task.completed --correlation-id "$handoff" --json '{"session_id":"${randomUUID()}",
      "summary":"Logged in","artifacts":[{"type":"code","path":"src/login.py","status":"created"}]}' >/dev/null) &`;

// What is known of blocks, by file and by the text they begin with. A block that is not here is run, too: it has
// to end with 0 and print no error.
//   skip      the reason why it is not run
//   expect    what it has to print
//   endless   what it has to print before it is interrupted, as its reader would do; a list: what each line of it has
//   replace   placeholders, and what stands in for them
//   files     what lies in the folder where it is run
//   first     commands before it: what the text around it says has been done
const BLOCKS = {
  'README.md': {
    './dev up ': {skip: 'dev.test.mjs runs ./dev; ./dev test runs this test'},
    '. .run/env': {},
    'curl "$GOD33_GATEWAY_URL/api/v1/events?limit=5': {
      expect: [/"events":\[\{/, /"workflows":\[\{/, /"timeline":\[\{/, /"sessions":\[\{/, /"event_id":"[0-9a-f-]{36}","position":\d+/, /"status":"ok"/]},
    'curl -N': {endless: /^event: event\ndata: \{"type":"event","position":\d+,.*bmad\.workflow\./m},
    '$GOD33_BIN/god33 event publish': {expect: [/^[0-9a-f-]{36}$/m, /demo\.note\.written/, /bmad\.workflow\.started/, /letta/]},
    "echo '{\"workflow_id\"": {expect: [/^[0-9a-f-]{36}\n$/]},
  },
  'docs/skills/README.md': {
    'workflow=$(god33 workflow start': {
      first: `. .run/env; PATH=$GOD33_BIN:$PATH; ${AGENT}`,
      expect: [/"path": "src\/login\.py"/]},
    'docs/skills/bmad/bmad.sh': {
      first: AGENT,
      expect: [/^[0-9a-f-]{36}\ncreated src\/login\.py\n.*bmad\.workflow\.completed.*agent\.letta\.task\.completed.*bmad\.workflow\.started/s]},
    'id=$(god33 event publish': {
      first: `workflow=${randomUUID()}
        started=$(god33 event publish bmad.workflow.started --json '{"workflow_id":"'$workflow'","project_name":"p"}')`},
    '. docs/skills/helpers': {},
    'docs/skills/handoff/handoff.sh': {
      // The agent that takes the task.
      first: `(until handoff=$(god33 event list --workflow "$workflow" --type bmad.workflow.handoff.requested -o jsonl |
          jq -r .event_id) && [ -n "$handoff" ]; do sleep 0.1; done
        god33 event publish agent.letta.task.completed --correlation-id "$handoff" \\
          --json '{"workflow_id":"'$workflow'","summary":"Logged in"}' >/dev/null) &`,
      expect: [/^[0-9a-f-]{36}\n\S+ agent\.letta\.task\.completed Logged in\n$/]},
    'god33 workflow status "$workflow"': {
      endless: /^state +running$.*bmad\.workflow\.phase\.completed.*"summary": "Logged in".*^state +running$/ms},
  },
  'tools/god33/README.md': {
    'started=$(god33 event publish': {
      first: '. .run/env; PATH=$GOD33_BIN:$PATH',
      files: {'started.json': `{"workflow_id":"${randomUUID()}","project_name":"p"}`, 'task.json': '{"task":"t"}'},
      expect: [/^[0-9a-f-]{36}\n$/]},
    'god33 event schema bmad.workflow.started': {files: {}},
    'workflow=$(god33 workflow start': {first: AGENT, expect: [/"summary": "Logged in"/]},
    'god33 workflow list --running --watch': {
      first: 'workflow=$(god33 workflow list --running --limit 1 -o jsonl | jq -r .workflow_id)',
      endless: [/running/, /^ok$/m, /^Workflow initiated for project/m]},
    'god33 chaos run': {skip: 'it takes minutes'},
    'god33 dlq show 17': {replace: {' 17 ': (context) => ` ${context.deadLetter} `}, expect: [/sent back/i]},
  },
  'tests/fuzz/README.md': {
    './dev test fuzz': {skip: './dev test runs the targets'},
    'build/asan/bin/fuzz_message -merge=1': {skip: 'it changes the tree'},
  },
  'tests/e2e/README.md': {'./dev test e2e': {skip: 'it would run this test'}},
  'tests/chaos/README.md': {
    'god33 chaos run': {skip: 'it takes minutes'},
    'grep -h': {skip: 'it reads what a run has left'},
  },
  'tests/bench/README.md': {'./dev bench': {skip: 'benchmarks take minutes and want a machine of their own'}},
};

const SKIPPED_FOLDERS = new Set(['node_modules', 'build', '.git', '.run']);

const markdown = (folder) => readdirSync(path.join(ROOT, folder), {withFileTypes: true}).flatMap((entry) => {
  const name = path.join(folder, entry.name);
  if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : markdown(name);
  return entry.name.endsWith('.md') ? [name] : [];
});

// The texts of a file's ```sh blocks.
const blocksOf = (file) =>
  [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]);

const knownOf = (file, block) => Object.entries(BLOCKS[file] ?? {}).find(([start]) => block.startsWith(start))?.[1] ?? {};

describe('documentation', () => {
  const home = path.join(STATE_DIR, 'readme');
  const context = {};
  let set;

  before(async () => {
    rmSync(path.join(home, 'shell'), {recursive: true, force: true});
    mkdirSync(path.join(home, 'shell'), {recursive: true});
    set = await DevSet.create(path.join(home, 'run'));
    await set.must('up', '--no-build');
    context.deadLetter = await makeDeadLetter();
  });

  after(() => set?.end());

  // The id of a message that was set aside because another event has its id.
  const makeDeadLetter = async () => {
    const {RABBITMQ_URL, GOD33_GATEWAY_URL} = await set.variables();
    const publisher = await Publisher.connect(RABBITMQ_URL);
    const event = canonical({payload: {n: 42}});
    await publisher.publishEvent(event);
    await publisher.publishEvent({...event, payload: {n: 41}});
    await publisher.close();
    return until('it is a dead letter', async () =>
      (await (await fetch(`${GOD33_GATEWAY_URL}/api/v1/dead-letters`)).json()).dead_letters[0].dead_letter_id);
  };

  // Runs a script as its reader would, in a shell that knows the variables of the file's blocks before it.
  // Ends it when it has printed `enough`. Returns {code, out, err}.
  const shell = (script, {cwd, state, enough}) => new Promise((resolve) => {
    const text = `set -aeu\n. '${state}'\n${script}\nexport -p >'${state}'\n`;
    const child = spawn('bash', ['-c', text], {cwd, env: set.environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true});
    const end = {out: '', err: ''};
    const kill = () => process.kill(-child.pid, 'SIGKILL');
    const timer = setTimeout(kill, 60_000);
    child.stdout.on('data', (data) => {
      end.out += data;
      if (enough?.test(end.out)) kill();
    });
    child.stderr.on('data', (data) => { end.err += data; });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({...end, code});
    });
  });

  const runBlock = async (block, known, file, state) => {
    const cwd = known.files ? path.join(home, 'shell', 'files') : ROOT;
    mkdirSync(cwd, {recursive: true});
    for (const [name, content] of Object.entries(known.files ?? {})) writeFileSync(path.join(cwd, name), content);
    if (Array.isArray(known.endless)) {
      for (const [i, line] of block.trim().split('\n').entries()) {
        await runBlock(line, {...known, endless: known.endless[i]}, file, state);
      }
      return;
    }
    let script = `${known.first ?? ''}\n${block}`.replaceAll('. .run/env', `. '${set.directory}/env'`);
    for (const [placeholder, value] of Object.entries(known.replace ?? {})) {
      assert.ok(script.includes(placeholder), `no ${placeholder}`);
      script = script.replaceAll(placeholder, value(context));
    }
    const {code, out, err} = await shell(script, {cwd, state, enough: known.endless});
    const told = `${file}\n${script}\n--- exit code ${code}\n${out}\n--- standard error\n${err}`;
    if (known.endless) return assert.match(out, known.endless, told);
    assert.equal(code, 0, told);
    assert.doesNotMatch(out, /"reason":"[A-Z_]{3,}"/, told);
    for (const pattern of known.expect ?? []) assert.match(out, pattern, told);
  };

  for (const file of markdown('.')) {
    const blocks = blocksOf(file);
    const state = path.join(home, 'shell', `${file.replaceAll('/', '-')}.state`);
    if (blocks.length > 0) before(() => writeFileSync(state, ''));
    for (const block of blocks) {
      const known = knownOf(file, block);
      test(`${file}: ${block.split('\n')[0].slice(0, 80)}`, {skip: known.skip}, () => runBlock(block, known, file, state));
    }
    test(`${file}: every block that is spoken of above is there`, {skip: !BLOCKS[file] && 'none is'}, () => {
      for (const start of Object.keys(BLOCKS[file])) assert.ok(blocks.some((block) => block.startsWith(start)), start);
    });
  }

  test('every file that is spoken of above is there', () => {
    const files = markdown('.');
    for (const file of Object.keys(BLOCKS)) assert.ok(files.includes(file), file);
  });
});
