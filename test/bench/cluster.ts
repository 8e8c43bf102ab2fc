// npm run bench:cluster -- PART [NUMBER ...]: several nodes on this machine, with a Postgres and a broker of their own. They
// share the cores with the load, so figures compare with each other only.
//
//   take-over [KILLS=20]                kill -9 of one of three, until every partition answers again
//   rolling [RATE=1000]                 the restart of all three under load: failed reads, writes with several retries
//   moves [SECONDS=60] [PRODUCTS=100000] [EVERY_MS=200]  partitions that move all the time: pauses, reads by id, verify
//   sale [BUYERS=10000]                 100 units, four nodes, the product's owner killed in the middle
//   cost [SECONDS=8]                    CPU, appends, record parts and messages an order at 1, 2 and 4 nodes

import { cost } from './cluster/cost.js';
import { moves } from './cluster/moves.js';
import { rolling } from './cluster/rolling.js';
import { sale } from './cluster/sale.js';
import { takeOver } from './cluster/take-over.js';

const PARTS: Readonly<Record<string, (...numbers: number[]) => Promise<void>>> = {
  'take-over': takeOver,
  rolling,
  moves,
  sale,
  cost,
};

const [name = '', ...given] = process.argv.slice(2);
const part = PARTS[name];
if (part === undefined) {
  console.error(`npm run bench:cluster -- ${Object.keys(PARTS).join('|')}`);
  process.exit(64);
}
await part(...given.map(Number));
process.exit(0);
