/**
 * Random walks of a listener between two nodes that read the same journals, each in its own order and with its own delay.
 * Whatever happens, it is told each event once, and those of a journal in order.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId } from '../../../actors/ids.js';
import type { Listening } from '../../../actors/ports/live-events.js';
import { LiveHub } from '../../../bus/live/live-hub.js';
import { type MemorySource, memorySource } from '../../../bus/live/memory-source.js';
import { systemClock } from '../../../bus/system-clock.js';
import { until } from '../../deadlines.js';

const WALKS = 150;
const JOURNALS = ['A', 'B', 'C'].map(journalId);
const TURNS = 12;
const TOLD_MS = 10_000;
const clock = systemClock();
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const test = suite('live events: walks between nodes');

/** mulberry32 (public domain), for walks that come back by their seed. */
function chanceOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One node: it stores each journal's turns in their order, and the journals in any. */
class Side {
  readonly source: MemorySource = memorySource(() => Date.now());
  hub: LiveHub;
  private readonly stored = JOURNALS.map(() => 0);

  constructor(
    private readonly chance: (below: number) => number,
    private readonly events: (journal: number, turn: number) => string,
  ) {
    this.hub = this.begin();
  }

  begin(): LiveHub {
    this.hub?.stop();
    const ringBytes = this.chance(2) === 0 ? 2_500 : 100_000; // The small one has some four messages.
    this.hub = new LiveHub({ source: this.source, clock, logger: silent, ringBytes });
    return this.hub;
  }

  get isComplete(): boolean {
    return this.stored.every((turn) => turn === TURNS);
  }

  storeOne(): void {
    const open = this.stored.flatMap((turn, journal) => (turn < TURNS ? [journal] : []));
    const journal = open[this.chance(open.length)];
    if (journal === undefined) return;
    const turn = (this.stored[journal] ?? 0) + 1;
    this.stored[journal] = turn;
    this.source.publish(JOURNALS[journal] ?? journalId(''), turn, this.events(journal, turn));
  }
}

const idsOf = (journal: number, turn: number): string[] =>
  Array.from({ length: 1 + ((journal + turn) % 3) }, (_, i) => `${journal}/${turn}/${i}`);

const batchOf = (journal: number, turn: number): string =>
  `[${idsOf(journal, turn)
    .map((id) => `{"id":"${id}","type":"order.placed.v1","subject":"o","data":{}}`)
    .join(',')}]`;

async function walk(seed: number): Promise<void> {
  const chance = chanceOf(seed);
  const sides = [new Side(chance, batchOf), new Side(chance, batchOf)] as const;
  const told: string[] = [];
  let place = await sides[0].hub.now();
  let listening: Listening | undefined;
  const listen = (side: Side, room: number) => {
    listening?.stop();
    let left = room;
    let isOver = false;
    const mine = side.hub.listen({}, place, {
      event({ id, text }) {
        assert.not.ok(isOver, 'told after its end');
        told.push((JSON.parse(text) as { id: string }).id);
        place = id;
        return --left > 0;
      },
      gap: (sentence) => {
        throw new Error(sentence);
      },
      ended: () => {
        isOver = true;
      },
    });
    listening = mine;
  };
  try {
    while (!sides.every(({ isComplete }) => isComplete)) {
      const side = sides[chance(2)] ?? sides[0];
      const what = chance(10);
      if (what < 6) side.storeOne();
      else if (what < 8) listen(side, chance(3) === 0 ? Number.POSITIVE_INFINITY : 1 + chance(4));
      else if (what === 8 && chance(4) === 0) side.begin();
      else if (listening?.place !== undefined && chance(2) === 0) place = listening.place; // A frame without data.
      if (chance(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    listen(sides[chance(2)] ?? sides[0], Number.POSITIVE_INFINITY);
    const wanted = JOURNALS.flatMap((_, j) => Array.from({ length: TURNS }, (__, t) => idsOf(j, t + 1)).flat());
    await until(() => told.length >= wanted.length, TOLD_MS, 1);
    const inOrder = JOURNALS.flatMap((_, j) => told.filter((id) => id.startsWith(`${j}/`)));
    assert.equal(inOrder, wanted, `seed ${seed}`);
  } finally {
    listening?.stop();
    for (const { hub } of sides) hub.stop();
  }
}

test(`${WALKS} walks: each event once, and each journal in order`, async () => {
  for (let seed = 1; seed <= WALKS; seed++) await walk(seed);
});

test('a place still holds when the stream was made anew, and filled again in another order', async () => {
  const before = memorySource(() => 1_000_000);
  const after = memorySource(() => 2_000_000);
  for (const journal of [0, 1])
    for (const turn of [1, 2]) before.publish(JOURNALS[journal] ?? journalId(''), turn, batchOf(journal, turn));
  const place = await new LiveHub({ source: before, clock, logger: silent, restMs: 1 }).now();
  const hub = new LiveHub({ source: after, clock, logger: silent });
  const told: string[] = [];
  await hub.now();
  for (const journal of [1, 0])
    for (const turn of [1, 2, 3]) after.publish(JOURNALS[journal] ?? journalId(''), turn, batchOf(journal, turn));
  const listening = hub.listen({}, place, {
    event: ({ text }) => told.push((JSON.parse(text) as { id: string }).id) > 0,
    gap: () => true,
    ended: () => {},
  });
  const wanted = [...idsOf(1, 3), ...idsOf(0, 3)];
  await until(() => told.length >= wanted.length, TOLD_MS, 1);
  assert.equal(told, wanted);
  listening.stop();
  hub.stop();
});

test.run();
