/** Given the claims and the members, when a node looks, then it takes, preloads and gives what the rules say. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, type NodeId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { Claim } from '../../../actors/node/record.js';
import { Moves, type Plan, type Scene } from '../../../actors/placement/moves.js';
import { sharesOf } from '../../../actors/placement/rendezvous.js';
import type { Want } from '../../../actors/ports/members.js';

const test = suite('moves');
type Map = Scene['map'];
const A = nodeId('A');
const B = nodeId('B');
const C = nodeId('C');
const COUNT = 16;
const ALL = Array.from({ length: COUNT }, (_, partition) => partition);
const FREE: Map = ALL.map(() => null);

const claim = (node: NodeId, over: Partial<Claim> = {}): Claim => ({
  ...{ epoch: 1, node, journal: journalId(`J${node}`) },
  ...over,
});
const allOf = (node: NodeId, over: Partial<Claim> = {}): Map => ALL.map(() => claim(node, over));
const view = (sharing: readonly NodeId[], over: Partial<Scene['view']> = {}): Scene['view'] => ({
  ...{ digest: 'd', sharing, leaving: new Set<NodeId>(), isSettled: true },
  ...over,
});
const mineIn = (map: Map, me: NodeId) =>
  new Set(ALL.filter((each) => map[each]?.node === me && map[each]?.released === undefined));
const scene = (me: NodeId, map: Map, over: Partial<Scene> = {}): Scene => ({
  ...{ watchedMs: 0, me, journal: journalId(`J${me}`), map, view: view([A, B]), dead: new Set<NodeId>() },
  ...{ mine: mineIn(map, me), running: mineIn(map, me), wants: new Map(), preloaded: new Map() },
  ...{ taking: new Set<number>(), giving: new Set<number>(), isLeaving: false },
  ...over,
});
/** The plan of a node that saw the same scene for a while. */
function planAfter(ms: number, one: Scene, moves = new Moves()): Plan {
  for (let at = 0; at < ms; at += limits.placementStepMs) moves.plan({ ...one, watchedMs: one.watchedMs + at });
  return moves.plan({ ...one, watchedMs: one.watchedMs + ms });
}
const NOTHING: Plan = { take: [], seal: [], preload: [], drop: [], give: [] };
const shareOf = (me: NodeId, members: readonly NodeId[], held: readonly (NodeId | undefined)[]) =>
  ALL.filter((each) => sharesOf(members, held)[each] === me);
const NOBODY = ALL.map(() => undefined);
/** What B should have of the partitions that A holds. */
const FOR_B = shareOf(B, [A, B], new Array<NodeId>(COUNT).fill(A));

// ---------------------------------------------------------------- taking

test('a node that is alone takes everything at once', () => {
  assert.equal(new Moves().plan(scene(A, FREE, { view: view([A]) })), { ...NOTHING, take: ALL });
});

test('two members take their shares at once, and the rest when its turn has passed', () => {
  const share = shareOf(A, [A, B], NOBODY);
  assert.is(share.length, 8);
  assert.equal(planAfter(0, scene(A, FREE)).take, share);
  assert.equal(planAfter(limits.releaseWaitMs - 1, scene(A, FREE)).take, share);
  assert.equal(planAfter(limits.releaseWaitMs, scene(A, FREE)).take, ALL);
});

test('of three members each waits longer than the one before it', () => {
  const [first, second, third] = [A, B, C].map((me) => {
    const due = (ms: number) => planAfter(ms, scene(me, FREE, { view: view([A, B, C]) })).take.includes(0);
    return [0, 1, 2].findIndex((turn) => due(turn * limits.releaseWaitMs));
  }) as [number, number, number];
  assert.equal([first, second, third].sort(), [0, 1, 2]);
});

test('what a living node holds is not taken, however long it takes', () => {
  assert.equal(planAfter(60_000, scene(A, allOf(B), { view: view([A, B], { isSettled: false }) })), NOTHING);
});

test('what a node that is gone holds is taken only when it may be sealed', () => {
  const gone = scene(A, allOf(B), { view: view([A]) });
  assert.equal(planAfter(60_000, gone).take, []);
  assert.equal(new Moves().plan({ ...gone, dead: new Set([B]) }), { ...NOTHING, take: ALL, seal: [journalId('JB')] });
});

test('two survivors share what the dead one had, and keep what they have', () => {
  const held = sharesOf([A, B, C], NOBODY);
  const map = held.map((node) => claim(node ?? A));
  const plans = [A, B].map((me) => new Moves().plan(scene(me, map, { dead: new Set([C]) })));
  assert.equal(
    plans.flatMap(({ take }) => take).sort((a, b) => a - b),
    ALL.filter((each) => held[each] === C),
  );
  for (const { take, seal, give } of plans) {
    assert.ok(take.length >= 2);
    assert.equal([seal, give], [[journalId('JC')], []]);
  }
});

test('what an earlier incarnation of its own holds is taken at once, whoever should have it', () => {
  const map = allOf(A, { journal: journalId('old') });
  assert.equal(new Moves().plan(scene(A, map, { mine: new Set(), running: new Set() })), {
    ...NOTHING,
    take: ALL,
    seal: [journalId('old')],
  });
});

test('what the claims give to this journal and does not run is taken after a while', () => {
  const landed = scene(A, allOf(A), { view: view([A]), mine: new Set(), running: new Set() });
  assert.equal(planAfter(limits.releaseWaitMs - 1, landed), NOTHING);
  assert.equal(planAfter(limits.releaseWaitMs, landed), { ...NOTHING, take: ALL });
});

test('nothing is taken twice, nor while it is given away', () => {
  const one = scene(A, FREE, { view: view([A]), taking: new Set(ALL.slice(2)), giving: new Set([1]) });
  assert.equal(planAfter(60_000, one).take, [0]);
});

// ---------------------------------------------------------------- releases

const releasedTo = (to: NodeId): Map => ALL.map((each) => (each === 0 ? claim(A, { released: 5, to }) : claim(A)));
const takesAfter = (me: NodeId, ms: number, map: Map, members: readonly NodeId[]) =>
  planAfter(ms, scene(me, map, { view: view(members) })).take.includes(0);

test('a release is the receiver’s at once, the giver’s after a second, and then everybody’s', () => {
  const map = releasedTo(B);
  const second = limits.releaseWaitMs;
  assert.ok(takesAfter(B, 0, map, [A, B, C]));
  assert.not(takesAfter(A, second - 1, map, [A, B, C]));
  assert.ok(takesAfter(A, second, map, [A, B, C]));
  assert.not(takesAfter(C, second * 2 - 1, map, [A, B, C]));
  assert.ok(takesAfter(C, second * 4, map, [A, B, C]));
});

test('a release for a node that is no member is free for all', () => {
  const map: Map = ALL.map((each) => claim(A, each === 0 ? { released: 5, to: B } : {}));
  const takers = [A, C].filter((me) => takesAfter(me, 0, map, [A, C]));
  assert.is(takers.length, 1);
});

test('a partition that came back is not given again for a while', () => {
  const moves = new Moves();
  const [partition = 0] = FOR_B;
  const map: Map = ALL.map((each) => claim(A, each === partition ? { released: 5, to: B } : {}));
  assert.ok(planAfter(limits.releaseWaitMs, scene(A, map), moves).take.includes(partition));
  const wants = new Map([[B, [{ partition, epoch: 2 }]]]);
  const given = (watchedMs: number) => moves.plan(scene(A, allOf(A, { epoch: 2 }), { watchedMs, wants })).give.length;
  assert.is(given(limits.releaseWaitMs + limits.giveAgainMs - 1), 0);
  assert.is(given(limits.releaseWaitMs + limits.giveAgainMs), 1);
});

// ---------------------------------------------------------------- moving

test('a node that joins preloads two of its share, and no more until these have come', () => {
  const first = new Moves().plan(scene(B, allOf(A)));
  assert.equal(first, { ...NOTHING, preload: FOR_B.slice(0, 2).map((partition) => ({ partition, epoch: 1 })) });
  const preloaded = new Map(first.preload.map(({ partition, epoch }) => [partition, epoch]));
  assert.equal(new Moves().plan(scene(B, allOf(A), { preloaded })), NOTHING);
  const came = allOf(A).map((each, partition) => (partition === FOR_B[0] ? claim(B, { epoch: 2 }) : each));
  assert.equal(new Moves().plan(scene(B, came, { preloaded })).preload, [{ partition: FOR_B[2], epoch: 1 }]);
});

test('a preload of an epoch that has passed is dropped, and made again', () => {
  const [partition = 0] = FOR_B;
  const plan = new Moves().plan(scene(B, allOf(A, { epoch: 3 }), { preloaded: new Map([[partition, 1]]) }));
  assert.equal(plan.drop, [partition]);
  assert.ok(plan.preload.some((each) => each.partition === partition && each.epoch === 3));
});

test('a node gives two of what its receiver has preloaded at the present epoch, and keeps its own share', () => {
  const giving = (epoch: number, over: Partial<Scene> = {}) => {
    const wants = new Map<NodeId, Want[]>([[B, ALL.map((partition) => ({ partition, epoch }))]]);
    return new Moves().plan(scene(A, allOf(A), { wants, ...over })).give;
  };
  assert.equal(
    giving(1),
    FOR_B.slice(0, 2).map((partition) => ({ partition, to: B })),
  );
  assert.equal(giving(2), []);
  assert.equal(giving(1, { giving: new Set(FOR_B.slice(0, 1)) }), [{ partition: FOR_B[1], to: B }]);
  assert.equal(giving(1, { running: new Set() }), []);
  assert.equal(giving(1, { isLeaving: true }), []);
  assert.equal(giving(1, { view: view([A, B], { isSettled: false }) }), []);
});

test('nothing is given to who has not preloaded it, and nothing to a third', () => {
  const wants = new Map([[C, ALL.map((partition) => ({ partition, epoch: 1 }))]]);
  assert.equal(new Moves().plan(scene(A, allOf(A))).give, []);
  assert.equal(new Moves().plan(scene(A, allOf(A), { wants })).give, []);
});

test('while members disagree nothing new is preloaded', () => {
  assert.equal(new Moves().plan(scene(B, allOf(A), { view: view([A, B], { isSettled: false }) })), NOTHING);
});

// ---------------------------------------------------------------- leaving

test('a node that leaves takes and wants nothing, also of what is free', () => {
  const leaving = scene(A, FREE, { view: view([B]), isLeaving: true });
  assert.equal(planAfter(60_000, leaving), NOTHING);
});

test('the others preload what a leaving node has, and take it as soon as it is released', () => {
  const left = view([B, C], { leaving: new Set([A]) });
  const share = shareOf(B, [B, C], NOBODY);
  assert.equal(
    new Moves().plan(scene(B, allOf(A), { view: left })).preload.map(({ partition }) => partition),
    share.slice(0, 2),
  );
  assert.equal(new Moves().plan(scene(B, allOf(A, { released: 5 }), { view: left })).take, share);
});

// ---------------------------------------------------------------- any course

/** Nodes that all see the same at once; what they plan happens at once, or fails, as drawn. */
test('from any map, with any failures, every partition comes to run, and the shares become equal', () => {
  const course = fc.record({
    held: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: COUNT, maxLength: COUNT }),
    failures: fc.array(fc.boolean(), { maxLength: 60 }),
    nodes: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(course, ({ held, failures, nodes }) => {
      const members = ['A', 'B', 'C', 'D'].slice(0, nodes).map(nodeId);
      const map: (Claim | null)[] = held.map((at) => {
        const node = members[at];
        return node === undefined ? null : claim(node);
      });
      const fails = failures.values();
      const each = new Map(members.map((me) => [me, { moves: new Moves(), preloaded: new Map<number, number>() }]));
      const sizes = () => members.map((me) => mineIn(map, me).size);
      const isEven = () => Math.max(...sizes()) - Math.min(...sizes()) <= 1;
      const isDone = () => isEven() && sizes().reduce((all, size) => all + size, 0) === COUNT;
      for (let atMs = 0; atMs < 180_000 && !isDone(); atMs += limits.placementStepMs) {
        const wants = new Map(
          [...each].map(([me, { preloaded }]) => [
            me,
            [...preloaded].map(([partition, epoch]) => ({ partition, epoch })),
          ]),
        );
        for (const [me, { moves, preloaded }] of each) {
          const plan = moves.plan(scene(me, map.slice(), { watchedMs: atMs, view: view(members), wants, preloaded }));
          assert.ok(plan.give.length <= 2 && plan.preload.length + preloaded.size - plan.drop.length <= 2);
          for (const partition of plan.drop) preloaded.delete(partition);
          for (const { partition, epoch } of plan.preload) preloaded.set(partition, epoch);
          for (const partition of plan.take) {
            if (map[partition] !== null && map[partition]?.released === undefined) continue;
            if (fails.next().value !== true) map[partition] = claim(me, { epoch: (map[partition]?.epoch ?? 0) + 1 });
          }
          for (const { partition, to } of plan.give) {
            const now = map[partition];
            if (now?.node === me && fails.next().value !== true) map[partition] = { ...now, released: 1, to };
            else moves.notGiven(partition, atMs);
          }
        }
      }
      assert.ok(isDone(), `they run ${sizes()}`);
    }),
    { numRuns: 60 },
  );
});

test('what was released for this node is handed over, unless it runs or is on its way', () => {
  const map = [0, 1, 2, 3, 4, 5].map((partition): Claim => {
    const claim = { epoch: 1, node: nodeId('B'), journal: journalId('JB'), released: 7 };
    if (partition === 4) return { ...claim, to: nodeId('C') };
    return partition === 5 ? claim : { ...claim, to: nodeId('A') };
  });
  const [mine, taking, giving] = [new Set([1]), new Set([2]), new Set([3])];
  assert.equal(new Moves().handedOver({ map, me: nodeId('A'), mine, taking, giving }), [0]);
});

test.run();
