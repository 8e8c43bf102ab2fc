/** What placement has asked of an incarnation: when it is asked again, and when placement looks at once. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import type { PartitionHost } from '../../../bus/node/partition-host.js';
import { Undertakings } from '../../../bus/placement/undertakings.js';
import { Chance, Timeline } from '../../simulation/clock.js';

const test = suite('undertakings');
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Undertakings over a host whose calls end as told, in virtual time. */
function undertakingsOver(host: Partial<PartitionHost>) {
  const timeline = new Timeline(new Chance(1), false);
  const hints: number[] = [];
  const undertakings = new Undertakings({
    host: {
      journal: journalId('J'),
      states: () => new Map(),
      take: async () => {},
      preload: async () => {},
      unload() {},
      giveAway: async () => true,
      ...host,
    },
    onEnded: () => hints.push(timeline.nowMs),
    onFailed() {},
    onKept() {},
    clock: timeline.clockOf({ name: 'A', state: 'running', held: [] }, () => 0),
    logger: silent,
  });
  return { undertakings, timeline, hints };
}

/** Lets settled promises run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a preload that fails waits for the next step: it brings none about', async () => {
  let asked = 0;
  const { undertakings, hints } = undertakingsOver({
    preload: async () => {
      if (++asked === 1) throw new Error('away');
    },
  });
  undertakings.preload({ partition: 3, epoch: 1 });
  await settle();
  assert.equal([hints.length, undertakings.preloaded.size, undertakings.wants.length], [0, 0, 0]);
  undertakings.preload({ partition: 3, epoch: 1 });
  await settle();
  assert.equal([hints.length, undertakings.wants], [1, [{ partition: 3, epoch: 1 }]]);
});

test('a partition is preloaded once at a time', async () => {
  let end = () => {};
  let asked = 0;
  const preload = () => {
    asked++;
    return new Promise<void>((resolve) => {
      end = resolve;
    });
  };
  const { undertakings } = undertakingsOver({ preload });
  undertakings.preload({ partition: 3, epoch: 1 });
  undertakings.preload({ partition: 3, epoch: 2 });
  assert.equal([asked, undertakings.preloaded.get(3)], [1, 1], 'what is under way is of the first epoch');
  end();
  await settle();
  undertakings.preload({ partition: 3, epoch: 2 });
  assert.equal([asked, undertakings.preloaded.get(3)], [2, 2]);
});

test('a take-over that joined nothing is tried again after a step, not at once', async () => {
  let joins = false;
  let takes = 0;
  const take = async () => void takes++;
  const states = () => new Map(joins ? [[3, { epoch: 1, state: 'running' as const }]] : []);
  const { undertakings, timeline } = undertakingsOver({ take, states });
  const takeAfter = async (ms: number) => {
    timeline.after(ms, () => undertakings.take([3], []));
    await timeline.step();
    await settle();
    return takes;
  };
  assert.is(await takeAfter(1), 1);
  assert.is(await takeAfter(1), 1, 'the hint of its end changes nothing');
  assert.is(await takeAfter(limits.placementStepMs), 2);
  joins = true;
  assert.is(await takeAfter(limits.placementStepMs), 3);
  assert.is(await takeAfter(1), 4, 'one that joined waits for nothing');
});

test('what was released for this node is taken beside a take-over that is under way', async () => {
  const taken: (readonly number[])[] = [];
  const take = (partitions: readonly number[]) => {
    taken.push(partitions);
    return new Promise<void>(() => {});
  };
  const { undertakings } = undertakingsOver({ take });
  undertakings.take([1, 2], []);
  undertakings.take([3], []);
  undertakings.receive([4]);
  undertakings.receive([]);
  assert.equal(
    [taken, [...undertakings.taking]],
    [
      [[1, 2], [4]],
      [1, 2, 4],
    ],
  );
});

test.run();
