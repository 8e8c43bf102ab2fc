/** Given what a node sees of the others, when time passes, then it judges the dead, and only them. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, type NodeId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { Judge } from '../../../actors/placement/judge.js';

const test = suite('judge');
const A = nodeId('A');
const B = nodeId('B');
const JA = journalId('JA');
const JB = journalId('JB');
const STEP = limits.placementStepMs;

/** Nodes that put a heartbeat every heartbeatMs while they live, as one judge sees them. */
class Watch {
  readonly judge = new Judge();
  atMs = 1_000;
  revision = 1;
  readonly beating = new Set<NodeId>([A, B]);
  readonly appending = new Set<NodeId>();
  readonly without = new Set<NodeId>();
  isClear = true;
  postgresAnswers = true;
  private readonly revisions = new Map<NodeId, number>([A, B].map((node) => [node, 1]));
  private readonly ends = new Map<JournalId, number>([JA, JB].map((journal) => [journal, 1]));

  /** @returns who is dead at the end */
  pass(ms: number, stepMs: number = STEP): NodeId[] {
    for (const end = this.atMs + ms; this.atMs < end; ) {
      this.atMs += stepMs;
      if (this.atMs % limits.heartbeatMs < stepMs) {
        for (const node of this.beating) this.revisions.set(node, ++this.revision);
      }
      for (const node of this.appending) this.append(node === A ? JA : JB);
      this.look();
    }
    return [...this.judge.dead];
  }

  append(journal: JournalId): void {
    this.ends.set(journal, (this.ends.get(journal) ?? 0) + 1);
  }

  look(): void {
    const suspects = new Set(this.judge.suspects());
    this.judge.see({
      atMs: this.atMs,
      isClear: this.isClear,
      postgresAnswers: this.postgresAnswers,
      watched: new Map(
        [A, B].map((node) => {
          const revision = this.without.has(node) || !this.isClear ? undefined : this.revisions.get(node);
          return [node, { revision, journals: [node === A ? JA : JB] }];
        }),
      ),
      ends: new Map([...this.ends].filter(([journal]) => this.isClear && suspects.has(journal === JA ? A : B))),
    });
  }
}

/** A watch that has run for long enough to judge. */
function watching(): Watch {
  const watch = new Watch();
  watch.pass(10_000);
  return watch;
}

test('nodes that put their heartbeats are alive', () => {
  assert.equal(watching().pass(60_000), []);
});

test('a node is dead once its heartbeat and its journal have stood still for silentMs, and not before', () => {
  const watch = watching();
  watch.beating.delete(A);
  assert.equal(watch.pass(limits.silentMs), []);
  assert.equal(watch.pass(limits.heartbeatMs + 2 * STEP), [A]);
  assert.equal([...watch.judge.gone], [A]);
});

test('a node that moves again is alive at once', () => {
  const watch = watching();
  watch.beating.delete(A);
  watch.pass(4_000);
  watch.beating.add(A);
  assert.equal(watch.pass(limits.heartbeatMs), []);
  assert.equal([...watch.judge.gone], []);
});

test('a node without a heartbeat whose journal grows is alive', () => {
  const watch = watching();
  watch.beating.delete(A);
  watch.appending.add(A);
  assert.equal(watch.pass(60_000), []);
  watch.appending.delete(A);
  assert.equal(watch.pass(limits.silentMs + STEP), [A]);
});

test('one append every two seconds is enough to be alive', () => {
  const watch = watching();
  watch.beating.delete(A);
  for (let i = 0; i < 10; i++) {
    watch.append(JA);
    assert.equal(watch.pass(2_000), []);
  }
});

test('a node that never had a heartbeat, as the claims name it after a restart of all, is dead after silentMs', () => {
  const watch = new Watch();
  watch.without.add(A);
  watch.beating.delete(A);
  assert.equal(watch.pass(limits.silentMs), []);
  assert.equal(watch.pass(limits.heartbeatMs + 2 * STEP), [A]);
});

test('a judge that slept judges nobody, and gives everybody silentMs', () => {
  const watch = watching();
  watch.beating.clear();
  watch.pass(1_000);
  const { watchedMs } = watch.judge;
  watch.atMs += 30_000;
  watch.look();
  assert.is(watch.judge.watchedMs, watchedMs, 'its running time stood still');
  assert.equal([...watch.judge.dead], []);
  assert.equal(watch.pass(limits.silentMs - STEP), []);
  assert.equal(watch.pass(2 * STEP), [A, B]);
});

test('a judge whose every step is late judges nobody', () => {
  const watch = watching();
  watch.beating.clear();
  assert.equal(watch.pass(60_000, limits.judgeLateMs + 1), []);
});

test('while the bucket or the journals cannot be read nobody is judged, nor for silentMs after', () => {
  const watch = watching();
  watch.beating.clear();
  watch.isClear = false;
  assert.equal(watch.pass(10_000), []);
  watch.isClear = true;
  assert.equal(watch.pass(limits.silentMs), []);
  assert.equal(watch.pass(limits.heartbeatMs + 2 * STEP), [A, B]);
});

test('one look without an answer begins the time of grace anew', () => {
  const watch = watching();
  watch.beating.clear();
  for (let i = 0; i < 10; i++) {
    assert.equal(watch.pass(limits.silentMs - STEP), []);
    watch.isClear = false;
    watch.pass(STEP);
    watch.isClear = true;
  }
});

test('a broker that comes back with every key gone kills nobody', () => {
  const watch = watching();
  watch.isClear = false;
  watch.pass(10_000);
  watch.isClear = true;
  watch.without.add(A).add(B);
  assert.equal(watch.pass(limits.silentMs - 2 * STEP), []);
  watch.without.clear(); // The nodes are back with their next heartbeat.
  assert.equal(watch.pass(60_000), []);
});

test('a revision that falls is a heartbeat too: the bucket was made anew', () => {
  const watch = watching();
  watch.revision = 0;
  assert.equal(watch.pass(60_000), []);
});

test('while Postgres does not answer nobody may be sealed, but who is gone is no member', () => {
  const watch = watching();
  watch.beating.delete(A);
  watch.postgresAnswers = false;
  assert.equal(watch.pass(10_000), []);
  assert.equal([...watch.judge.gone], [A]);
  assert.is(watch.judge.isGone(A), false, "nor are its journals anybody else's");
  watch.postgresAnswers = true;
  assert.equal(watch.pass(STEP), [A]);
  assert.is(watch.judge.isGone(A), true);
});

test('who is gone stays gone through an outage, and may be sealed only after it', () => {
  const watch = watching();
  watch.beating.delete(A);
  watch.pass(5_000);
  watch.isClear = false;
  assert.equal(watch.pass(5_000), []);
  assert.equal([...watch.judge.gone], [A]);
  watch.isClear = true;
  assert.equal(watch.pass(limits.silentMs + STEP), [A]);
});

test('gone is also who had neither a heartbeat nor a partition for silentMs since somebody asked', () => {
  const watch = new Watch();
  const stranger = nodeId('stranger');
  watch.pass(2 * limits.silentMs);
  assert.not(watch.judge.isGone(stranger), 'a node that has just begun may not have put its heartbeat yet');
  watch.pass(limits.silentMs - STEP);
  assert.not(watch.judge.isGone(stranger));
  watch.pass(2 * STEP);
  assert.ok(watch.judge.isGone(stranger));
  assert.not(watch.judge.isGone(A));
  watch.isClear = false;
  watch.pass(STEP);
  assert.not(watch.judge.isGone(stranger));
});

test('a node becomes a suspect once until its next heartbeat, and only if it is watched', () => {
  const watch = watching();
  assert.equal(
    [watch.judge.suspect(A), watch.judge.suspect(A), watch.judge.suspect(nodeId('C'))],
    [true, false, false],
  );
  assert.ok(watch.judge.suspects().includes(A));
  watch.pass(2 * limits.heartbeatMs);
  assert.not(watch.judge.suspects().includes(A));
  assert.ok(watch.judge.suspect(A));
});

// ---------------------------------------------------------------- any course of events

type Step = 'clear' | 'away' | 'no postgres' | 'late';
const steps = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.constant<Step>('clear') },
    { weight: 1, arbitrary: fc.constantFrom<Step>('away', 'no postgres', 'late') },
  ),
  { minLength: 1, maxLength: 120 },
);
/** Runs of clear steps are longer than the time of grace, or some course would never judge. */
const courses = fc.array(fc.tuple(steps, fc.integer({ min: 0, max: 20 })), { minLength: 1, maxLength: 6 });

test('whatever happens, the dead were still throughout silentMs of clear and timely sights', () => {
  let judged = 0;
  fc.assert(
    fc.property(courses, fc.integer({ min: 0, max: 3 }), (course, beatEvery) => {
      const watch = new Watch();
      watch.beating.clear();
      let still = 0;
      let step = 0;
      const run = (kind: Step) => {
        if (beatEvery > 0 && ++step % (beatEvery * 5) === 0) watch.beating.add(A);
        watch.isClear = kind !== 'away';
        watch.postgresAnswers = kind !== 'no postgres';
        if (kind === 'late') watch.atMs += limits.judgeLateMs;
        const wasBeating = watch.beating.has(A);
        const before = watch.revision;
        const dead = watch.pass(STEP);
        const moved = wasBeating && watch.revision !== before;
        if (moved) watch.beating.clear();
        still = kind === 'late' || kind === 'away' || moved ? 0 : still + STEP;
        if (dead.includes(A)) {
          judged++;
          assert.ok(still >= limits.silentMs && kind === 'clear', `judged after ${still} ms at a ${kind} step`);
        }
      };
      for (const [drawn, clear] of course) {
        for (const kind of drawn) run(kind);
        for (let i = 0; i < clear; i++) run('clear');
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(judged > 1_000, `only ${judged} judgements were looked at`);
});

test.run();
