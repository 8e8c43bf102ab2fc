// The contract of the nodes' heartbeats, for every implementation.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../actors/ids.js';
import type { Heartbeat, Members, Seen } from '../../actors/ports/members.js';

export const heartbeat = (node: string, over: Partial<Heartbeat> = {}): Heartbeat => ({
  ...{ node: nodeId(node), name: `${node}, "the ü"`, journal: journalId(`J${node}`), digest: 'd1' },
  ...{ wants: [], leaving: false },
  ...over,
});

/** @param fresh the heartbeats of a system without nodes, as two of its nodes reach them */
export function membersContract(name: string, fresh: () => Promise<readonly [Members, Members]>): void {
  const test = suite(`members contract: ${name}`);
  const of = (all: readonly Seen[], node: string) => all.find((each) => each.heartbeat.node === node);

  test('before the first heartbeat there is none', async () => {
    const [one] = await fresh();
    assert.equal(await one.all(), []);
  });

  test('the last heartbeat of each node is read as it was put, by every node', async () => {
    const [one, other] = await fresh();
    const wants = [{ partition: 3, epoch: 12 }];
    await Promise.all([one.put(heartbeat('A')), other.put(heartbeat('B'))]);
    await one.put(heartbeat('A', { digest: 'd2', wants, leaving: true }));
    for (const members of [one, other]) {
      const all = await members.all();
      assert.is(all.length, 2);
      assert.equal(of(all, 'A')?.heartbeat, heartbeat('A', { digest: 'd2', wants, leaving: true }));
      assert.equal(of(all, 'B')?.heartbeat, heartbeat('B'));
    }
  });

  test('each put changes the revision of its node, and of no other', async () => {
    const [one, other] = await fresh();
    await one.put(heartbeat('A'));
    await other.put(heartbeat('B'));
    const before = await other.all();
    await one.put(heartbeat('A'));
    const after = await other.all();
    assert.is.not(of(after, 'A')?.revision, of(before, 'A')?.revision);
    assert.is(of(after, 'B')?.revision, of(before, 'B')?.revision);
  });

  test('a heartbeat that the caller changes later was put as it was', async () => {
    const [one] = await fresh();
    const wants = [{ partition: 1, epoch: 1 }];
    await one.put(heartbeat('A', { wants }));
    wants.push({ partition: 2, epoch: 2 });
    assert.is((await one.all())[0]?.heartbeat.wants.length, 1);
  });

  test.run();
}
