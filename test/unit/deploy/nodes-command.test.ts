/** `holdfast nodes`: its table and its exit code. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isOwned, linesOf } from '../../../deploy/commands/nodes.js';

const test = suite('holdfast nodes');
const on = (node: string, ...partitions: number[]) =>
  partitions.map((partition) => {
    const since = `2026-11-21T11:49:0${partition}.000Z`;
    return { partition, node, epoch: 1, since, state: 'running' as const };
  });
const joining = (node: string, partition: number) =>
  on(node, partition).map((each) => ({ ...each, state: 'joining' as const }));

test('one line for each node, with ranges, and one for what does not run', () => {
  const placed = {
    data: [...on('A', 0, 1, 2), ...joining('B', 3), ...on('A', 5)],
    nodes: [
      { node: 'A', name: 'shop-one', alive: true },
      { node: 'B', name: 'two' },
      { node: 'C', name: 'three', alive: false },
    ],
  };
  assert.equal(linesOf(placed), [
    'NAME      NODE  PARTITIONS  SINCE                     ALIVE',
    'shop-one  A     4: 0-2 5    2026-11-21T11:49:05.000Z  yes',
    'two       B     1: 3        2026-11-21T11:49:03.000Z  unknown',
    'three     C     0           -                         no',
    'joining: 3',
  ]);
});

test('all is owned only if each partition has an owner, and none of them is known to be dead', () => {
  const nodes = [{ node: 'A', name: 'a' }];
  assert.ok(isOwned({ data: on('A', 0, 1), nodes }));
  assert.ok(isOwned({ data: on('A', 0), nodes: [...nodes, { node: 'B', name: 'b', alive: false }] }));
  assert.not(isOwned({ data: on('A', 0), nodes: [{ node: 'A', name: 'a', alive: false }] }));
  assert.not(isOwned({ data: [...on('A', 0), { partition: 1, epoch: 1, state: 'free' }], nodes }));
});

test.run();
