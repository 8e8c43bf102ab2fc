/** What EVENTS must have before a record: each actor's events stay in order over moves, deaths and lost messages. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, orderId } from '../../../actors/ids.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import {
  encodeSeal,
  encodeTurn,
  type Join,
  journalLog,
  packCascade,
  packEvent,
  type SealRecord,
} from '../../../actors/node/record.js';
import type { Log } from '../../../actors/ports/log.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { type JournalRow, NOWHERE } from '../../../actors/ports/snapshot-rows.js';
import { EventOrder } from '../../../bus/events/event-order.js';
import { type MemoryEvents, memoryEvents } from '../../../bus/events/memory-events.js';
import { eventPublisher, type Publisher } from '../../../bus/events/publisher.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { patientMs } from '../../deadlines.js';

const test = suite('event order');
const source = '/holdfast/test';
const [A, B, C] = [journalId('A'), journalId('B'), journalId('C')];

// ---------------------------------------------------------------- the rig

/** Pauses end at once, after all other work. */
const clock: Clock = {
  now: () => 1_000_000_000,
  monotonic: () => 0,
  after(_delayMs, run) {
    const timer = setImmediate(run);
    return () => clearImmediate(timer);
  },
  soon: (run) => void setImmediate(run),
  id: () => '0',
  random: () => 0.5,
};
const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

type After = Join['after'];

/** Journals and EVENTS as the nodes share them. Turn n of journal A has the event `A<n>`. */
class Shared {
  readonly log: Log = memoryLog({ pageRecords: 3 });
  readonly events: MemoryEvents = memoryEvents();
  readonly rows = new Map<JournalId, JournalRow>();
  readonly gone = new Set<JournalId>();
  private readonly turns: { journal: JournalId; n: number; batch: string; joins: readonly Join[] | undefined }[] = [];
  private readonly lengths = new Map<JournalId, number>();
  private readonly publishers: { stop(): void }[] = [];

  open(...journals: JournalId[]): void {
    for (const journal of journals) {
      this.rows.set(journal, {
        journal,
        node: 'n' as JournalRow['node'],
        closed: false,
        folded: NOWHERE,
        publishedN: 0,
      });
    }
  }

  /** @returns the turn's n */
  async append(journal: JournalId, after: After = [], { isEmpty = false, at = 1_000_000_000 } = {}): Promise<number> {
    const n = (this.lengths.get(journal) ?? 0) + 1;
    const joins = after.length === 0 ? undefined : [{ partition: 1, epoch: n, after }];
    const turn = { id: `${journal}${n}`, journal, n, at, parts: {}, letters: [], ...(joins && { joins }) };
    const order = orderId(`${journal}${n}`);
    const events = isEmpty ? [] : [packCascade('c', [packEvent('order', order, 1, '{"type":"confirmed"}')])];
    await this.log.append(journalLog(journal), n - 1, encodeTurn(turn, events));
    this.lengths.set(journal, n);
    const event = { of: { kind: 'order', id: order }, version: 1, event: { type: 'confirmed' } } as const;
    const batch = isEmpty ? '' : eventBatch({ at, cascades: [{ correlation: 'c', events: [event] }] }, source);
    this.turns.push({ journal, n, batch, joins });
    return n;
  }

  async seal(journal: JournalId, isClosed = true): Promise<void> {
    const seal: Omit<SealRecord, 'kind'> = { id: 's', journal, by: journal, at: 0 };
    await this.log.append(journalLog(journal), this.lengths.get(journal) ?? 0, encodeSeal(seal));
    const row = this.rows.get(journal);
    if (row !== undefined) this.rows.set(journal, { ...row, closed: isClosed });
  }

  order(journal: JournalId): EventOrder & { halt(): void } {
    let isStopped = false;
    const order = new EventOrder({
      ...{ journal, source, clock, logger: quiet, log: this.log, events: this.events },
      snapshots: { journals: async () => [...this.rows.values()] },
      isGone: (row) => this.gone.has(row.journal),
      stopped: () => isStopped,
    });
    return Object.assign(order, {
      halt: () => {
        isStopped = true;
      },
    });
  }

  /** The publisher of a live journal, with everything that is appended. */
  publisher(journal: JournalId): { publisher: Publisher; order: EventOrder } {
    const order = this.order(journal);
    const publisher = eventPublisher({
      ...{ journal, source, clock, logger: quiet, log: this.log, events: this.events },
      before: (joins) => order.before(journal, joins),
      startAfter: { n: 0, position: 0 },
    });
    this.publishers.push({
      stop: () => {
        order.halt();
        void publisher.stop();
      },
    });
    this.offer(publisher, journal);
    return { publisher, order };
  }

  offer(publisher: Publisher, journal: JournalId): void {
    for (const { n, batch, joins } of this.turns.filter((turn) => turn.journal === journal)) {
      publisher.offer(n, n, batch, joins);
    }
  }

  get published(): string {
    const all = [A, B, C].flatMap((journal) =>
      this.events.messages(journal).map((message) => ({ journal, ...message })),
    );
    all.sort((a, b) => a.position - b.position);
    return all.map(({ journal, n, batch }) => (batch === '[]' ? `${journal}.` : `${journal}${n}`)).join(' ');
  }

  stop(): void {
    for (const each of this.publishers) each.stop();
  }
}

async function becomes(shared: Shared, published: string): Promise<void> {
  const endsAt = performance.now() + patientMs(5_000);
  while (shared.published !== published && performance.now() < endsAt) await turnOfTheLoop();
  await rounds();
  assert.is(shared.published, published);
}

const turnOfTheLoop = () => new Promise<void>((done) => setImmediate(done));

/** Time enough for whoever would publish too early. */
async function rounds(): Promise<void> {
  for (let i = 0; i < 200; i++) await turnOfTheLoop();
}

function check(name: string, run: (shared: Shared) => Promise<void>): void {
  test(name, async () => {
    const shared = new Shared();
    shared.open(A, B, C);
    try {
      await run(shared);
    } finally {
      shared.stop();
    }
  });
}

// ---------------------------------------------------------------- laws

check('a partition that moved waits until the live owner before it has published up to the release', async (shared) => {
  await shared.append(A);
  const released = await shared.append(A);
  await shared.append(B);
  await shared.append(B, [[A, released]]);
  await shared.append(B);
  shared.publisher(B);
  await becomes(shared, 'B1');
  await shared.append(A);
  shared.publisher(A);
  await becomes(shared, 'B1 A1 A2 A3 B2 B3');
});

check('a release after turns without events is out when the last turn with events is', async (shared) => {
  await shared.append(A);
  await shared.append(A, [], { isEmpty: true });
  const released = await shared.append(A, [], { isEmpty: true });
  await shared.append(B, [[A, released]]);
  shared.publisher(B);
  await becomes(shared, '');
  shared.publisher(A);
  await becomes(shared, 'A1 B1');
});

check('a release of a journal that has published nothing and owes nothing is out', async (shared) => {
  const released = await shared.append(A, [], { isEmpty: true });
  await shared.append(B, [[A, released]]);
  shared.publisher(B);
  await becomes(shared, 'B1');
});

check('a release of a journal without any turn is out', async (shared) => {
  await shared.append(B, [[A, 0]]);
  shared.publisher(B);
  await becomes(shared, 'B1');
});

check('a release from before what was trimmed is out: a trim follows the publishing', async (shared) => {
  const released = await shared.append(A);
  await shared.append(A);
  await shared.log.trim(journalLog(A), 1);
  await shared.append(B, [[A, released]]);
  shared.publisher(B);
  await becomes(shared, 'B1');
});

check('whoever took over from the dead publishes the tail first, and ends its event log', async (shared) => {
  await shared.append(A);
  await shared.append(A);
  await shared.seal(A);
  await shared.append(B, [[A, 'seal']]);
  shared.publisher(B);
  await becomes(shared, 'A1 A2 A. B1');
});

check('a seal that is not closed yet is a seal', async (shared) => {
  await shared.append(A);
  await shared.seal(A, false);
  await shared.append(B, [[A, 'seal']]);
  shared.publisher(B);
  await becomes(shared, 'A1 A. B1');
});

check('one that died owing the tail of another: the join record tells (hazard 14)', async (shared) => {
  await shared.append(A);
  await shared.seal(A);
  await shared.append(B);
  await shared.append(B, [[A, 'seal']]);
  await shared.seal(B);
  await shared.append(C, [[B, 'seal']]);
  shared.publisher(C);
  await becomes(shared, 'B1 A1 A. B2 B. C1');
});

check('joins without events of their own count, also at the end of a tail', async (shared) => {
  await shared.append(A);
  await shared.seal(A);
  await shared.append(B, [[A, 'seal']], { isEmpty: true });
  await shared.seal(B);
  await shared.append(C, [[B, 'seal']], { isEmpty: true });
  await shared.append(C);
  shared.publisher(C);
  await becomes(shared, 'A1 A. B. C2');
});

check('what a release names is out only with what the joins at its end name', async (shared) => {
  await shared.append(A);
  await shared.seal(A);
  const released = await shared.append(B, [[A, 'seal']], { isEmpty: true });
  await shared.append(C, [[B, released]]);
  shared.publisher(C);
  await becomes(shared, 'A1 A. C1');
});

check('while it waits, a publisher repeats its own messages that the broker has lost', async (shared) => {
  // B waits for A, which waits for what B had published before.
  await shared.append(B);
  const b = shared.publisher(B);
  await becomes(shared, 'B1');
  const released = await shared.append(A, [[B, 1]]);
  await shared.append(B, [[A, released]]);
  shared.offer(b.publisher, B);
  await rounds();
  shared.events.keep(B, 0, 0);
  const a = shared.publisher(A);
  for (const { order, publisher } of [a, b]) {
    order.recheck();
    publisher.recheck();
  }
  await becomes(shared, 'B1 A1 B2');
});

check('an owner that is gone without a seal is sealed by whoever waits for it', async (shared) => {
  const released = await shared.append(A);
  await shared.append(A);
  await shared.append(B, [[A, released]]);
  shared.publisher(B);
  await becomes(shared, '');
  shared.gone.add(A);
  await becomes(shared, 'A1 B1');
  assert.match((await shared.log.read(journalLog(A), 2))[0]?.record ?? '', '"kind":"seal"');
});

check(
  'of a sealed journal no more is published than is named: the rest may wait for the one who waits',
  async (shared) => {
    // One partition goes from A to B after the first turn of A, another from B to A. So the second turns need the first ones.
    await shared.append(A);
    await shared.append(B);
    await shared.append(A, [[B, 1]]);
    await shared.append(B, [[A, 1]]);
    await shared.append(B);
    // A third goes from B to A, and A dies: the tail of A waits for B, which waits for the beginning of A.
    await shared.append(A, [[B, 3]]);
    await shared.seal(A);
    const { publisher } = shared.publisher(B);
    await becomes(shared, 'B1 A1 B2 B3');
    await shared.append(B, [[A, 'seal']]);
    shared.offer(publisher, B);
    await becomes(shared, 'B1 A1 B2 B3 A2 A3 A. B4');
  },
);

check('a partition that comes back to the same journal waits for nothing of that journal', async (shared) => {
  const released = await shared.append(A);
  await shared.append(A, [[A, released]]);
  shared.publisher(A);
  await becomes(shared, 'A1 A2');
});

check('a forgotten journal is out', async (shared) => {
  shared.rows.delete(A);
  await shared.append(B, [[A, 'seal']]);
  await shared.append(B, [[A, 7]]);
  shared.publisher(B);
  await becomes(shared, 'B1 B2');
});

check('what retention has removed is out, and what the broker has lost is not (hazard 11)', async (shared) => {
  const young = { at: 1_000_000_000 - 1_000 };
  const old = { at: 1_000_000_000 - 7 * 24 * 3_600_000 };
  const release = await shared.append(A, [], old);
  const other = await shared.append(C, [], young);
  for (const journal of [A, C]) {
    const row = shared.rows.get(journal);
    if (row !== undefined) shared.rows.set(journal, { ...row, publishedN: 1 });
  }
  await shared.append(B, [[A, release]]);
  await shared.append(B, [[C, other]]);
  shared.publisher(B);
  await becomes(shared, 'B1');
});

check('when the broker has lost the end of EVENTS, the tail comes first again', async (shared) => {
  await shared.append(A);
  await shared.append(A);
  await shared.seal(A);
  await shared.append(B, [[A, 'seal']], { isEmpty: true });
  await shared.append(B);
  const { publisher, order } = shared.publisher(B);
  await becomes(shared, 'A1 A2 A. B2');
  shared.events.keep(B, 0, 0);
  shared.events.keep(A, 0, 1);
  order.recheck();
  publisher.recheck();
  await becomes(shared, 'A1 A2 A. B2');
});

check(
  'a tail that the broker has lost is published again, also while nothing of its successor is out',
  async (shared) => {
    await shared.append(A);
    await shared.seal(A);
    await shared.append(B, [[A, 'seal']], { isEmpty: true });
    const { publisher, order } = shared.publisher(B);
    await becomes(shared, 'A1 A.');
    shared.events.keep(A, 0, 0);
    order.recheck();
    publisher.recheck();
    await becomes(shared, 'A1 A.');
    await shared.append(B);
    shared.offer(publisher, B);
    await becomes(shared, 'A1 A. B2');
  },
);

check('two that wait for the same dead journal publish it once', async (shared) => {
  for (let n = 1; n <= 20; n++) await shared.append(A);
  await shared.seal(A);
  await shared.append(B, [[A, 'seal']]);
  await shared.append(C, [[A, 'seal']]);
  shared.publisher(B);
  shared.publisher(C);
  const tail = Array.from({ length: 20 }, (_, i) => `A${i + 1}`).join(' ');
  const endsAt = performance.now() + patientMs(5_000);
  while (!(shared.published.includes('B1') && shared.published.includes('C1')) && performance.now() < endsAt) {
    await turnOfTheLoop();
  }
  assert.ok([`${tail} A. B1 C1`, `${tail} A. C1 B1`].includes(shared.published), shared.published);
});

test.run();
