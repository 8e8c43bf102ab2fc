/** How old the lists may be. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ListAge } from '../../../bus/reads/list-age.js';

const test = suite('the age of lists');

test('it counts from the first append that no flush has collected', () => {
  let now = 1_000;
  const age = new ListAge({ monotonic: () => now });
  assert.is(age.ms, 0);
  age.appended();
  now += 150; // A flush collects its rows.
  age.appended();
  now += 50;
  age.appended();
  assert.is(age.ms, 200);
  now += 10;
  age.flushed(60);
  assert.is(age.ms, 60, 'what came while it was written may be missing');
  now += 100;
  age.flushed(20);
  assert.is(age.ms, 0, 'nothing came meanwhile');
  now += 5_000;
  assert.is(age.ms, 0, 'a node that does nothing has fresh lists');
  age.appended();
  now += 9_000;
  assert.is(age.ms, 9_000, 'it grows while Postgres is away');
});

test.run();
