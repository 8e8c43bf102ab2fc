/** `holdfast forget-user`: the table of what is left where. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { placesOf } from '../../../deploy/commands/forget.js';
import { readConfig } from '../../../deploy/config/config.js';

const test = suite('forget-user');

test('the table tells place by place what was erased, and when the rest is gone', () => {
  const now = Date.parse('2026-11-30T00:00:00Z');
  const some = { orders: 30, forgotten: 5, underWay: Array.from({ length: 25 }, (_, i) => `ORD-${i}`) };
  const table = (env: Record<string, string>) => placesOf(some, readConfig(env), now).join('\n');
  const plain = table({});
  assert.match(plain, /^orders +5 of 30 erased now/m);
  assert.match(plain, /^under way +25 keep their data: ORD-0 .*ORD-19 and 5 more$/m);
  assert.match(plain, /^EVENTS +has tracking ids and reasons until 2026-12-07T00:00:00/m);
  assert.match(plain, /^dumps, archives .*the last one here goes by 2026-12-30T00:00:00/m);
  const told = table({ EVENTS_PERSONAL: 'on', EVENTS_AGE_H: '24', BACKUP_KEEP_DAYS: '7' });
  assert.match(told, /^EVENTS +has e-mail, .* until 2026-12-01T00:00:00/m);
  assert.match(told, /goes by 2026-12-07T00:00:00/);
  assert.not.match(placesOf({ ...some, underWay: [] }, readConfig({}), now).join('\n'), /^under way/m);
});

test.run();
