import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryMembers } from '../../bus/placement/memory-members.js';
import { heartbeat, membersContract } from './members.suite.js';

membersContract('memory', async () => {
  const members = memoryMembers();
  return [members, members];
});

const test = suite('memory members');

test('a bucket that was lost is empty, and its revisions begin anew', async () => {
  const members = memoryMembers();
  await members.put(heartbeat('A'));
  await members.put(heartbeat('A'));
  members.lose();
  assert.equal(await members.all(), []);
  await members.put(heartbeat('A'));
  assert.is((await members.all())[0]?.revision, 1);
});

test.run();
