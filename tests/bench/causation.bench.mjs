// All descendants of an event with their depths, by the code of the API: as positions, which is what it walks over
// (it reads the events of the page that is asked for, and no others), and with all ids looked up. The floor is a
// recursive CTE over edges of ids, as seed 001 has them, in a table of its own with the index it needs.

import {drive} from './support/drivers.mjs';
import {median, Row} from './support/report.mjs';
import {inTurns} from './support/run.mjs';

// `size` is [full, small]; `events` how many descendants that gives.
const SHAPES = [
  {shape: 'tree', size: [5, 2], events: [111_110, 110], name: 'descendants of 111,111 events', must: {least: 1.5},
    aim: '10'},
  {shape: 'diamond', size: [22, 22], events: [44, 44], name: '22-layer diamond', must: {most: 5, of: 'ours'}},
  {shape: 'chain', size: [1000, 50], events: [1000, 50], name: 'chain of 1,000', must: {least: 1}},
];
const TIMES = 5; // of each walk in one repeat

const EDGES = `
  CREATE TABLE id_edges (parent_id uuid, child_id uuid, PRIMARY KEY (parent_id, child_id));
  INSERT INTO id_edges SELECT p.event_id, c.event_id FROM event_edges AS e
    JOIN event_ids AS p ON p.position = e.parent_position JOIN event_ids AS c ON c.position = e.child_position;
  GRANT SELECT ON id_edges TO god33_writer;
  VACUUM ANALYZE;`;

export async function bench(run) {
  const database = await run.database('caused');
  const env = {DATABASE_URL: database.writer};
  const rows = [];
  const shapes = [];
  for (const {shape, size, events, name, must, aim} of SHAPES) {
    const root = (await drive('causation', [shape, run.size(...size)], {env})).trim();
    const walked = new Row({what: `${name}, positions and depths`, unit: 'ms', inverse: true});
    const named = new Row({what: `${name}, ids and depths`, unit: 'ms', must, aim, inverse: true});
    shapes.push({shape, walk: [root, run.size(...events), TIMES], walked, named});
    rows.push(walked, named);
  }
  await database.psql(EDGES);
  const timesOf = async (action, walk) =>
    (await drive('causation', [action, ...walk], {env})).trim().split('\n').map((line) => line.split(' ').map(Number));
  await run.repeat(async (i, oursFirst) => {
    const said = [];
    for (const {shape, walk, walked, named} of shapes) {
      const {ours, floor} = await inTurns(oursFirst, () => timesOf('walk', walk), () => timesOf('recurse', walk));
      const recursed = median(floor.map(([ids]) => ids));
      walked.add(median(ours.map(([positions]) => positions)), recursed);
      named.add(median(ours.map(([, ids]) => ids)), recursed);
      said.push(`${shape} ${walked.ours.at(-1)} and ${named.ours.at(-1)} ms, CTE ${recursed} ms`);
    }
    return said.join('; ');
  });
  return rows;
}
