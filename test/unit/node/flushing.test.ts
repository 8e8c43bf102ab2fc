/** How much may wait for Postgres before a node takes no more commands. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { Flushing } from '../../../actors/node/flushing.js';
import { ownedWorld } from './node-rig.js';

const test = suite('flushing');

test('what waits in the journal is limited, and the limit is divided by the members (hazard 18)', () => {
  let members = 1;
  const flushing = new Flushing(ownedWorld(), journalId('J'), () => members);
  flushing.appended(limits.unflushedBytes / 4);
  members = 3;
  assert.is(flushing.isBehind, false);
  members = 4;
  assert.is(flushing.isBehind, true);
  members = 1;
  assert.is(flushing.isBehind, false);
  flushing.appended((limits.unflushedBytes * 3) / 4);
  assert.is(flushing.isBehind, true);
});

test('a whole flush is due earlier while its rows are waited for, and not for what is flushed already', () => {
  const flushing = new Flushing(ownedWorld(), journalId('J'), () => 1);
  const at = (n: number) => ({ n, position: 10 * n, recordId: `R${n}` });
  const flushed = (nowMs: number, n: number): boolean => {
    const flush = flushing.next(nowMs, at(n), false);
    if (flush !== undefined) flushing.done(flush.number);
    return flush !== undefined;
  };
  const { flushAwaitedEveryMs: soon, flushWholeEveryMs: late } = limits;
  assert.ok(flushed(0, 1));
  assert.not(flushed(late - 1, 2));
  flushing.waitFor(10);
  assert.not(flushed(late - 1, 2));
  flushing.waitFor(20);
  assert.ok(flushed(late - 1, 2));
  flushing.waitFor(30);
  assert.not(flushed(late - 2 + soon, 3));
  assert.ok(flushed(late - 1 + soon, 3));
  assert.not(flushed(late - 1 + 2 * soon, 4));
});

test.run();
