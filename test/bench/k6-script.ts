// npm run bench:k6 -- SCRIPT [NAME=value ...]: a script of deploy/load in full, through the stand-in of k6 (test/deployed/k6.ts), against a
// node that runs: `npm run bench:k6 -- deploy/load/order_test.js BASE_URL=http://127.0.0.1:3000`. Prints each threshold, its value and
// the machine's load. Exit 99, as k6 has it, where one does not hold.

import { availableParallelism, loadavg } from 'node:os';
import { runK6 } from '../deployed/k6.js';

const load = (): string => `load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores`;

const [script, ...pairs] = process.argv.slice(2);
if (script === undefined) throw new Error('name a script of deploy/load');
console.log(`before: ${load()}`);
const verdicts = await runK6(script, Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string])));
for (const { metric, threshold, value, holds } of verdicts)
  console.log(`${holds ? 'holds' : 'FAILS'}  ${metric} ${threshold}: ${value}`);
console.log(`after: ${load()}`);
process.exit(verdicts.every(({ holds }) => holds) ? 0 : 99);
