/** Who owns which partition, told from the claims log. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, nodeId } from '../../../actors/ids.js';
import { CLAIMS_LOG, type Claim, type ClaimsRecord, encodeClaims } from '../../../actors/node/record.js';
import type { PlacedNode } from '../../../actors/ports/placement.js';
import { Unavailable } from '../../../actors/unavailable.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { claimedPlaces, placementByClaims } from '../../../bus/node/claimed-places.js';
import type { PartitionHost } from '../../../bus/node/partition-host.js';
import { systemClock } from '../../../bus/system-clock.js';

const test = suite('claimed places');
const [A, B] = [nodeId('A'), nodeId('B')];
const claim = (node: typeof A, epoch: number): Claim => ({ epoch, node, journal: journalId(`J${node}`) });
const record = (at: number, ...map: (Claim | null)[]): ClaimsRecord => ({
  ...{ kind: 'claims', id: `C${at}`, by: journalId('JA'), at, map, names: { [A]: 'shop-a' } },
});

test('a claimed partition runs since its claim, a released one is free since its release', () => {
  const { partitions, nodes } = claimedPlaces(
    [
      record(1, claim(A, 1), claim(A, 1), null),
      record(2, claim(A, 1), { ...claim(A, 1), released: 7 }, null),
      record(3, claim(A, 1), claim(B, 2), null),
      record(4, { ...claim(A, 1), released: 9 }, claim(B, 2), null),
      record(5, { ...claim(A, 1), released: 9 }, { ...claim(B, 2), released: 4, to: A }, null),
    ],
    3,
  );
  assert.equal(partitions, [
    { partition: 0, node: undefined, name: undefined, epoch: 1, since: 4, state: 'free' },
    { partition: 1, node: undefined, name: undefined, epoch: 2, since: 5, state: 'moving' },
    { partition: 2, node: undefined, name: undefined, epoch: 0, since: undefined, state: 'free' },
  ]);
  assert.equal(nodes, []);
});

let heard: PlacedNode[] = [];
const others = () => heard;
const { kind: _, ...stored } = record(1, claim(A, 1), claim(B, 1));

/** The host of partition 0. */
const hostIn = (state: 'joining' | 'running' | 'frozen' | undefined): PartitionHost => ({
  journal: journalId('JA'),
  states: () => (state === undefined ? new Map() : new Map([[0, { epoch: 1, state }]])),
  take: async () => {},
  preload: async () => {},
  unload: () => {},
  giveAway: async () => false,
});

test('of its own partitions a node also tells whether it loads them or gives them away', async () => {
  const log = memoryLog();
  await log.append(CLAIMS_LOG, 0, encodeClaims(stored), { urgent: true });
  let state: 'joining' | 'running' | 'frozen' | undefined;
  const me = { node: A, name: 'shop-a', host: () => hostIn(state) };
  const placement = placementByClaims({ log, partitions: 2, clock: systemClock(), me, others });
  const states = async () => (await placement.partitions()).map(({ state }) => state);
  assert.equal(await states(), ['joining', 'running']);
  state = 'running';
  assert.equal(await states(), ['running', 'running']);
  state = 'frozen';
  assert.equal(await states(), ['moving', 'running']);
  assert.equal(await placement.nodes(), [
    { node: B, name: 'B', alive: undefined },
    { node: A, name: 'shop-a', alive: true },
  ]);
  heard = [
    { node: B, name: 'shop-b', alive: false },
    { node: nodeId('C'), name: 'a-third', alive: true },
  ];
  assert.equal(await placement.nodes(), [heard[1], { node: A, name: 'shop-a', alive: true }, heard[0]]);
});

test('many questions at once are one reading, and a failed reading is not kept', async () => {
  const stored = memoryLog();
  let readings = 0;
  let isAway = true;
  const read: typeof stored.read = async (...asked) => {
    readings++;
    if (isAway) throw new Error('away');
    return stored.read(...asked);
  };
  const me = { node: A, name: 'shop-a', host: () => undefined };
  const placement = placementByClaims({ log: { ...stored, read }, partitions: 2, clock: systemClock(), me, others });
  const asked = await Promise.allSettled([placement.partitions(), placement.partitions(), placement.nodes()]);
  assert.ok(asked.every((each) => each.status === 'rejected' && each.reason instanceof Unavailable));
  assert.is(readings, 1);
  isAway = false;
  assert.is((await placement.partitions()).length, 2);
});

test.run();
