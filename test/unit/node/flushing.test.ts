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

test.run();
