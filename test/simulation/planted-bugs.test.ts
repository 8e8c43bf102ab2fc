/** The simulation finds every planted bug within some seeds, and the seed that finds it passes without the bug. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plantedBugs } from './planted-bugs.js';
import { plantedMoveBugs } from './planted-move-bugs.js';
import { plantedLifeBugs } from './planted-order-bugs.js';
import { simulate } from './simulate.js';

const SEEDS = 1_000;
const STEPS = 1_500;
const all = Array.from({ length: SEEDS }, (_, i) => i + 1);
const test = suite('planted bugs');

const ofMoves = plantedMoveBugs.map((bug) => ({ placement: 'random' as const, ...bug }));

for (const bug of [...plantedBugs, ...plantedLifeBugs, ...ofMoves]) {
  test(`${bug.name} (${bug.breaks})`, async () => {
    for (const seed of [...(bug.foundBy === undefined ? [] : [bug.foundBy]), ...all]) {
      const { broken } = await simulate({ seed, steps: STEPS, plant: bug });
      if (broken === undefined) continue;
      const same = bug.placement === undefined ? {} : { placement: bug.placement };
      const { broken: without } = await simulate({ seed, steps: STEPS, plant: same });
      if (without !== undefined) continue; // It shows nothing of this bug. The test of all seeds fails by it.
      console.log(`${bug.name}: seed ${seed}, ${broken.promise}: ${broken.how.split('\n')[0]?.slice(0, 160)}`);
      return;
    }
    assert.unreachable(`no seed up to ${SEEDS} found it`);
  });
}

test.run();
