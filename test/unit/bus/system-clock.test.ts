/** Ids as the real clock draws them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../../bus/system-clock.js';

const test = suite('system clock');

test('ids are ULIDs: none twice, in order of time, random to the last character', async () => {
  const clock = systemClock();
  const from = Date.now();
  const ids = Array.from({ length: 5_000 }, () => clock.id());
  assert.is(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^0[0-9A-HJKMNP-TV-Z]{25}$/);
  const timeOf = (id = '') =>
    [...id.slice(0, 10)].reduce((ms, char) => ms * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(char), 0);
  assert.ok(timeOf(ids[0]) >= from && timeOf(ids.at(-1)) <= Date.now(), ids[0]);
  for (let at = 10; at < 26; at++) assert.is(new Set(ids.map((id) => id[at])).size, 32, `character ${at}`);
  await new Promise((resolve) => setTimeout(resolve, 3));
  assert.ok(clock.id() > (ids.at(-1) ?? ''));
});

test.run();
