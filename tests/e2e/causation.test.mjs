// Which events an event led to, and which led to it: by REST, by gRPC and on the command line.

import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {after, before, describe, test} from 'node:test';
import {Publisher} from './support/bus.mjs';
import {Database} from './support/database.mjs';
import {BASE_ENVIRONMENT, executable} from './support/environment.mjs';
import {canonical} from './support/events.mjs';
import {EventStoreClient} from './support/grpc.mjs';
import {rawAt} from './support/raw_json.mjs';
import {Rest} from './support/rest.mjs';
import {run} from './support/run.mjs';
import {TestSet} from './support/set.mjs';
import {until} from './support/wait.mjs';

const PAYLOAD = {n: 1, agent_id: 'dev-1'};

describe('causation', () => {
  let set, services, database, publisher, rest, grpc;

  const store = async (...events) => {
    for (const event of events) {
      await publisher.publishEvent(event);
      await until('it is stored', () =>
        database.value('SELECT true FROM event_ids WHERE event_id = $1', event.event_id));
    }
  };

  const caused = (type, ...parents) => canonical({
    event_type: type, payload: PAYLOAD, correlation_ids: parents.map((parent) => parent.event_id)});

  // A hand-off that two agents take part in:
  //   root -> a -> c -> d, root -> b -> c, b -> e
  const root = caused('bmad.workflow.handoff.requested');
  const a = caused('agent.handoff.accepted', root);
  const b = caused('agent.handoff.accepted', root);
  const c = caused('agent.letta.task.completed', a, b);
  const d = caused('artifact.created', c);
  const e = caused('agent.feedback.requested', b);
  const stranger = caused('artifact.created');

  before(async () => {
    set = await TestSet.start('causation');
    services = await set.all();
    database = new Database(set.urls.GOD33_READER_DATABASE_URL);
    publisher = await Publisher.connect(set.urls.RABBITMQ_URL);
    rest = new Rest(services.gateway.rest);
    grpc = await EventStoreClient.discover(services.api.grpc);
    await store(root, a, b, stranger, c, d, e);
  });

  after(async () => {
    await publisher?.close();
    grpc?.close();
    await set?.end();
  });

  const ask = async (event, direction, parameters = {}) => {
    const response = await rest.get(`/api/v1/events/${event.event_id}/${direction}`, parameters);
    assert.equal(response.status, 200, response.text);
    return JSON.parse(response.text);
  };

  const refused = async (status, reason, field, path, parameters = {}) => {
    const response = await rest.get(path, parameters);
    const problem = JSON.parse(response.text);
    assert.deepEqual([response.status, problem.reason, problem.field], [status, reason, field], response.text);
    assert.match(response.headers['content-type'], /problem\+json/);
  };

  const summaries = (related) => related.map((each) => [each.event.event_id, each.depth, each.parent_id]);

  const god33 = async (args, env = {}) => {
    const end = await run(executable('god33'), ['event', ...args], {
      env: {...BASE_ENVIRONMENT, GOD33_EVENT_STORE_API_ADDR: services.api.grpc, ...env}, timeout: 30_000});
    return {code: end.code, out: end.stdout.toString(), err: end.stderr};
  };

  const printed = async (...args) => {
    const end = await god33(args);
    assert.equal(end.code, 0, end.err);
    return end.out;
  };

  test('descendants come flat, by depth and position, each once, with a shortest path', async () => {
    const answer = await ask(root, 'descendants');
    assert.deepEqual(Object.keys(answer),
      ['root_event', 'descendants', 'total_descendants', 'truncated', 'next_page_token', 'position']);
    assert.equal(answer.root_event.event_id, root.event_id);
    assert.deepEqual(summaries(answer.descendants), [
      [a.event_id, 1, root.event_id], [b.event_id, 1, root.event_id],
      [c.event_id, 2, a.event_id], [e.event_id, 2, b.event_id],
      [d.event_id, 3, c.event_id]]);
    assert.deepEqual(answer.descendants.at(-1).path, [root, a, c, d].map((event) => event.event_id));
    assert.deepEqual([answer.total_descendants, answer.truncated, answer.next_page_token], [5, false, '']);
    assert.equal(answer.position, 7);
    assert.deepEqual(answer.descendants[0].event.payload, PAYLOAD);
    assert.deepEqual((await ask(root, 'descendants', {max_depth: 1})).total_descendants, 2);
    assert.deepEqual((await ask(d, 'descendants')).descendants, []);
  });

  test('ancestors come the same way, towards the causes', async () => {
    const answer = await ask(d, 'ancestors');
    assert.deepEqual(summaries(answer.ancestors), [
      [c.event_id, 1, d.event_id], [a.event_id, 2, c.event_id], [b.event_id, 2, c.event_id],
      [root.event_id, 3, a.event_id]]);
    assert.equal(answer.total_ancestors, 4);
    assert.deepEqual(answer.ancestors.at(-1).path, [d, c, a, root].map((event) => event.event_id));
    const graph = await ask(d, 'ancestors', {format: 'graph'});
    assert.equal(graph.nodes.length, 5);
    assert.equal(graph.edges.length, 5);
  });

  test('a tree nests each event below the parent on its path', async () => {
    const shape = ({event, depth, children}) => [event.event_id, depth, children.map(shape)];
    const tree = await ask(root, 'descendants', {format: 'tree'});
    assert.deepEqual(shape(tree), [root.event_id, 0, [
      [a.event_id, 1, [[c.event_id, 2, [[d.event_id, 3, []]]]]],
      [b.event_id, 1, [[e.event_id, 2, []]]]]]);
    assert.equal(tree.truncated, false);
    // The events in it are those that are answered elsewhere, to the last character.
    const one = await rest.get(`/api/v1/events/${root.event_id}`);
    const whole = await rest.get(`/api/v1/events/${root.event_id}/descendants`, {format: 'tree'});
    assert.equal(rawAt(whole.text, 'event'), one.text);

    const cut = await ask(root, 'descendants', {format: 'tree', limit: 3});
    assert.equal(cut.truncated, true);
    assert.deepEqual(shape(cut), [root.event_id, 0, [
      [a.event_id, 1, [[c.event_id, 2, []]]], [b.event_id, 1, []]]]);
  });

  test('a graph has all edges between its nodes', async () => {
    const graph = await ask(root, 'descendants', {format: 'graph'});
    assert.deepEqual(Object.keys(graph), ['nodes', 'edges', 'truncated', 'position']);
    assert.deepEqual(graph.nodes.map((node) => [node.event_id, node.event_type, node.depth, node.agent_id]),
      [[root, 0], [a, 1], [b, 1], [c, 2], [e, 2], [d, 3]].map(([event, depth]) =>
        [event.event_id, event.event_type, depth, 'dev-1']));
    const edges = (...pairs) => pairs.map(([cause, effect]) => ({cause: cause.event_id, effect: effect.event_id}));
    assert.deepEqual(graph.edges, edges([root, a], [root, b], [a, c], [b, c], [b, e], [c, d]));
    assert.deepEqual([graph.truncated, graph.position], [false, 7]);
    const cut = await ask(root, 'descendants', {format: 'graph', limit: 2});
    assert.deepEqual(cut.edges, edges([root, a], [root, b]));
    assert.equal(cut.truncated, true);
  });

  test('gRPC has the shape that was asked for in the oneof', async () => {
    const request = {event_id: root.event_id};
    const {result, flat} = await grpc.call('GetDescendants', request);
    assert.equal(result, 'flat');
    assert.deepEqual(summaries(flat.descendants), summaries((await ask(root, 'descendants')).descendants));
    const tree = await grpc.call('GetDescendants', {...request, format: 'tree'});
    assert.equal(tree.result, 'tree');
    assert.deepEqual(JSON.parse(tree.tree.text), await ask(root, 'descendants', {format: 'tree'}));
    const {graph} = await grpc.call('GetDescendants', {...request, format: 'graph'});
    assert.equal(graph.edges.length, 6);
    const {flat: up} = await grpc.call('GetAncestors', {event_id: d.event_id});
    assert.equal(up.total_ancestors, '4');
    await assert.rejects(grpc.call('GetDescendants', {event_id: randomUUID()}),
      {code: 'NOT_FOUND', reason: 'EVENT_NOT_FOUND'});
    await assert.rejects(grpc.call('GetAncestors', {event_id: d.event_id, format: 'tree'}),
      {code: 'INVALID_ARGUMENT', field: 'format'});
  });

  test('pages show the log as it was at the first, while events are stored', async () => {
    const hub = caused('page.root');
    const children = Array.from({length: 9}, () => caused('page.child', hub));
    await store(hub, ...children);
    const seen = [];
    let token = '';
    do {
      const page = await ask(hub, 'descendants', {limit: 2, ...(token && {page_token: token})});
      assert.equal(page.total_descendants, 9);
      seen.push(...page.descendants.map((each) => each.event.event_id));
      token = page.next_page_token;
      await store(caused('page.child', hub), caused('page.grandchild', children[0]));
    } while (token !== '');
    assert.deepEqual(seen, children.map((child) => child.event_id));
    assert.equal((await ask(hub, 'descendants')).total_descendants, 9 + 10);
  });

  test('a parent that comes late has its descendants, and cycles of hostile ids end', async () => {
    const [first, second] = [caused('late.parent'), caused('late.child')];
    second.correlation_ids = [first.event_id];
    const third = caused('late.grandchild', second);
    first.correlation_ids = [third.event_id];
    await store(second, third);
    assert.equal((await ask(second, 'descendants')).total_descendants, 1);
    await store(first);
    for (const event of [first, second, third]) {
      assert.equal((await ask(event, 'descendants', {max_depth: 10_000})).total_descendants, 2);
      assert.equal((await ask(event, 'ancestors', {max_depth: 10_000})).total_ancestors, 2);
      assert.equal((await ask(event, 'descendants', {format: 'graph'})).edges.length, 3);
    }
  });

  test('who passes the position of an append sees the event', async () => {
    const posted = JSON.parse((await rest.post('/api/v1/events', JSON.stringify(
      {event_type: 'own.write', payload: {}, correlation_ids: [stranger.event_id]}))).text);
    const answer = await ask(stranger, 'descendants', {min_position: posted.position});
    assert.deepEqual(answer.descendants.map((each) => each.event.event_id), [posted.event_id]);
  });

  test('what is not understood is refused by name', async () => {
    const path = `/api/v1/events/${root.event_id}/descendants`;
    const up = `/api/v1/events/${root.event_id}/ancestors`;
    const bad = (field, parameters, where = path) => refused(400, 'INVALID_ARGUMENT', field, where, parameters);
    await bad('event_id', {}, '/api/v1/events/x/descendants');
    await bad('format', {format: 'circle'});
    await bad('format', {format: 'tree'}, up);
    for (const depth of [0, -1, 10_001]) await bad('max_depth', {max_depth: depth});
    await bad('limit', {limit: 0});
    await bad('limit', {limit: 1001});
    await bad('limit', {format: 'tree', limit: 1001});
    await bad('limit', {format: 'graph', limit: 10_001});
    await bad('min_position', {min_position: -1});
    await bad('page_token', {page_token: 'x'});
    const {next_page_token: token} = await ask(root, 'descendants', {limit: 1});
    for (const format of ['tree', 'graph']) await bad('page_token', {format, page_token: token});
    await bad('page_token', {max_depth: 5, page_token: token});
    await bad('page_token', {page_token: token}, up);
    for (const direction of ['descendants', 'ancestors']) {
      await refused(404, 'EVENT_NOT_FOUND', 'event_id', `/api/v1/events/${randomUUID()}/${direction}`);
    }
    await refused(503, 'POSITION_NOT_REACHED', 'min_position', path, {min_position: 1_000_000_000});
  });

  test('the command line draws a tree', async () => {
    const line = ({event_type, event_id}) => `${event_type}  ${event_id}  dev-1`;
    const expected = (...marks) => [root, a, c, d, b, e].map((event, i) => marks[i] + line(event));
    const drawn = (out) => out.trimEnd().split('\n').map((text) => text.replace(/\d+ {2}/, ''));
    const ascii = await god33(['descendants', root.event_id], {LC_ALL: 'C'});
    assert.deepEqual(drawn(ascii.out), expected('', '|-- ', '|   `-- ', '|       `-- ', '`-- ', '    `-- '));
    const utf8 = await god33(['descendants', root.event_id], {LC_ALL: 'C.UTF-8'});
    assert.deepEqual(drawn(utf8.out), expected('', '├── ', '│   └── ', '│       └── ', '└── ', '    └── '));
    const paged = await god33(['descendants', root.event_id, '--limit', '2']);
    assert.equal(drawn(paged.out).length, 3);
    assert.match(paged.err, /5 descendants.*--page-token/);
    assert.deepEqual(await printed('descendants', root.event_id, '--limit', '2', '--all'),
      await printed('descendants', root.event_id));
    assert.equal(drawn(await printed('ancestors', d.event_id)).length, 5);
    assert.equal(drawn(await printed('descendants', root.event_id, '--max-depth', '1')).length, 3);
  });

  test('the command line prints what REST answers', async () => {
    for (const [direction, event] of [['descendants', root], ['ancestors', d]]) {
      const formats = direction === 'descendants' ? ['flat', 'tree', 'graph'] : ['flat', 'graph'];
      for (const format of formats) {
        const {text} = await rest.get(`/api/v1/events/${event.event_id}/${direction}`, {format});
        assert.equal(await printed(direction, event.event_id, '--format', format, '-o', 'json'), `${text}\n`);
        assert.match(await printed(direction, event.event_id, '--format', format, '-o', 'yaml'), /event_id: /);
      }
      const {text} = await rest.get(`/api/v1/events/${event.event_id}/${direction}`);
      assert.equal(await printed(direction, event.event_id, '--all', '--limit', '1', '-o', 'json'), `${text}\n`);
      const lines = (await printed(direction, event.event_id, '--all', '--limit', '2', '-o', 'jsonl')).trimEnd();
      assert.deepEqual(lines.split('\n').map((each) => JSON.parse(each)), JSON.parse(text)[direction]);
    }
  });

  test('the command line refuses what makes no sense', async () => {
    const fails = async (code, pattern, ...args) => {
      const end = await god33(args);
      assert.equal(end.code, code, end.err);
      assert.match(end.err, pattern);
      assert.equal(end.out, '');
    };
    await fails(2, /UUID/, 'descendants', 'x');
    await fails(2, /format/, 'ancestors', root.event_id, '--format', 'tree');
    await fails(2, /--max-depth/, 'descendants', root.event_id, '--max-depth', '0');
    await fails(2, /limit/, 'descendants', root.event_id, '--limit', '1001');
    await fails(2, /--all/, 'descendants', root.event_id, '--format', 'graph', '--all', '-o', 'json');
    await fails(2, /page_token/, 'descendants', root.event_id, '--page-token', 'x');
    await fails(3, /EVENT_NOT_FOUND/, 'descendants', randomUUID());
    for (const verb of ['descendants', 'ancestors']) assert.match(await printed(verb, '--help'), /Usage/);
  });
});
