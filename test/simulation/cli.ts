/** Replays seeds by hand:  npm run sim -- --seed 17 [--steps 1500] [--trace] [--count 100] */
import { parseArgs } from 'node:util';
import { Counters } from './counters.js';
import { STEPS, simulate } from './simulate.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: String(STEPS) },
    count: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});
const [first, steps, count] = [Number(values.seed), Number(values.steps), Number(values.count)];
if (![first, steps, count].every((value) => Number.isSafeInteger(value) && value >= 0)) {
  console.error('--seed, --steps and --count are whole numbers');
  process.exit(64);
}
const all = new Counters();
let failures = 0;
for (let seed = first; seed < first + count; seed++) {
  const { broken, hash, counters, lines } = await simulate({ seed, steps, trace: values.trace });
  all.take(counters);
  for (const line of lines) console.log(line);
  if (broken === undefined && count > 1) continue;
  console.log(
    `seed ${seed}: ${broken ? `${broken.promise.toUpperCase()}: ${broken.how}` : 'every promise held'} (${hash})`,
  );
  if (broken) failures++;
}
if (!values.trace) console.log(all.toString());
process.exitCode = failures > 0 ? 1 : 0;
