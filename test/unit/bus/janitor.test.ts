/** What incarnations leave behind goes when nobody needs it any more, and not before, whoever looks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, type NodeId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import {
  CLAIMS_LOG,
  type Claim,
  decodeRecord,
  encodeClaims,
  encodeSeal,
  encodeTurn,
  journalLog,
} from '../../../actors/node/record.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { NOWHERE } from '../../../actors/ports/snapshot-rows.js';
import { memoryEvents } from '../../../bus/events/memory-events.js';
import { FORGETTABLE_MS } from '../../../bus/events/published-turns.js';
import { Janitor } from '../../../bus/journal/janitor.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';
import { memorySnapshots } from '../../../storage/memory/memory-snapshots.js';

const test = suite('janitor');
const [N, M] = [nodeId('n'), nodeId('m')];
const [J, K, L, ME] = ['J', 'K', 'L', 'ME'].map(journalId) as [JournalId, JournalId, JournalId, JournalId];
const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

// ---------------------------------------------------------------- the rig

type Map = readonly (Claim | null)[];
const claim = (epoch: number, journal: JournalId, released?: number): Claim => ({
  ...{ epoch, node: N, journal },
  ...(released !== undefined && { released }),
});

/** Where a message stands does not matter here. */
const FIRST = { previous: 0 };

interface JournalOptions {
  readonly records?: number;
  readonly sealed?: boolean;
  readonly ended?: boolean;
  /** Whether its row is closed. */
  readonly closed?: boolean;
  readonly node?: NodeId;
}

class Rig {
  readonly log = memoryLog();
  readonly events = memoryEvents();
  readonly snapshots = memorySnapshots().snapshots;
  readonly gone = new Set<JournalId>();
  readonly tails: JournalId[] = [];
  nowMs = 0;
  private claims = 0;

  /** Two partitions, as their rows and the claims have them. */
  async claim(map: Map): Promise<void> {
    await this.log.append(CLAIMS_LOG, this.claims, encodeClaims({ id: `${this.claims}`, by: ME, at: 0, map }));
    this.claims++;
  }

  async journal(name: JournalId, options: JournalOptions = {}): Promise<void> {
    const { records = 3, sealed = true, ended = sealed, closed = sealed, node = N } = options;
    await this.snapshots.openJournal(name, node);
    for (let n = 1; n <= records; n++) {
      const turn = encodeTurn({ id: `${n}`, journal: name, n, at: 0, parts: {}, letters: [] }, []);
      await this.log.append(journalLog(name), n - 1, turn);
    }
    if (sealed) await this.log.append(journalLog(name), records, encodeSeal({ id: 's', journal: name, by: ME, at: 0 }));
    if (closed) await this.snapshots.closeJournals([name]);
    if (ended) await this.events.publish(name, 0, records, '[]', FIRST);
  }

  async flushed(journal: JournalId, rows: { readonly [partition: number]: number }): Promise<void> {
    await this.snapshots.openJournal(journal, N);
    const partitions = Object.entries(rows).map(([partition, epoch]) => ({
      ...{ partition: Number(partition), epoch, journal, seen: {}, sent: {} },
    }));
    await this.snapshots.write(journal, { kind: 'last', partitions, from: NOWHERE, to: NOWHERE, publishedN: 0 });
  }

  janitor({ hasBroker = true, eventsMayForget = false } = {}): () => Promise<void> {
    let due: (() => void) | undefined;
    const clock: Clock = {
      now: () => 0,
      monotonic: () => this.nowMs,
      after: (_, run) => {
        due = run;
        return () => {};
      },
      soon: (run) => void setImmediate(run),
      id: () => 'id',
      random: () => 0,
    };
    const janitor = new Janitor({
      ...{
        journal: ME,
        partitions: 2,
        log: this.log,
        snapshots: this.snapshots,
        clock,
        logger: quiet,
        eventsMayForget,
        readSpareMs: limits.readSpareMs,
      },
      events: hasBroker ? this.events : undefined,
      tail: async ({ journal }) => {
        this.tails.push(journal);
        await this.events.publish(journal, 0, 0, '[]', FIRST);
      },
      isGone: ({ journal }) => this.gone.has(journal),
    });
    janitor.start();
    return async () => {
      this.nowMs += limits.readSpareMs;
      const run = due;
      due = undefined;
      run?.();
      for (let i = 0; i < 100 && due === undefined; i++) await new Promise<void>((done) => setImmediate(done));
      assert.type(due, 'function', 'it goes on');
    };
  }

  async length(name: string): Promise<number> {
    return (await this.log.read(name, 0)).length;
  }

  /** The rows that are left, each with the length of its journal. */
  async left(): Promise<string> {
    const rows = (await this.snapshots.journals()).filter(({ journal }) => journal !== ME);
    return (
      await Promise.all(rows.map(async ({ journal }) => `${journal}${await this.length(journalLog(journal))}`))
    ).join(' ');
  }
}

async function rig(): Promise<Rig> {
  const made = new Rig();
  await made.snapshots.openJournal(ME, N);
  return made;
}

async function twice(look: () => Promise<void>): Promise<void> {
  await look();
  await look();
}

// ---------------------------------------------------------------- laws

test('a sealed journal goes when every partition that it had is flushed past its claim, by whoever has it now', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, J)]);
  await made.claim([claim(2, ME), claim(2, K)]);
  await made.journal(J);
  await made.journal(K, { sealed: false });
  const look = made.janitor();
  await made.flushed(ME, { 0: 2 });
  await twice(look);
  await twice(look);
  assert.is(await made.left(), 'J4 K3', 'partition 1 has no row: it would be taken for empty (hazard 15)');
  await made.flushed(K, { 1: 1 });
  await twice(look);
  assert.is(await made.left(), 'J4 K3');
  await made.flushed(K, { 1: 2 });
  await twice(look);
  assert.is(await made.left(), 'K3');
  assert.is(await made.length(journalLog(J)), 1, 'the seal stays');
});

test('a claim that was released holds nothing: its row had passed the release', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, J)]);
  await made.claim([claim(1, J, 2), claim(1, J)]);
  await made.claim([claim(2, ME), claim(1, J)]);
  await made.claim([claim(2, ME), claim(2, ME)]);
  await made.journal(J);
  await made.flushed(ME, { 1: 2 });
  await twice(made.janitor());
  assert.is(await made.left(), '');
});

test('an owner is not forgotten while the map names it, even if its journal is sealed', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, ME)]);
  await made.journal(J);
  await made.flushed(ME, { 0: 1, 1: 1 });
  const look = made.janitor();
  await twice(look);
  await twice(look);
  assert.is(await made.left(), 'J4');
});

test('what became removable stays for one more look: whoever has read the rows reads the log next', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, J)]);
  await made.claim([claim(2, ME), claim(2, ME)]);
  await made.journal(J);
  await made.flushed(ME, { 0: 2, 1: 2 });
  const look = made.janitor();
  await look();
  assert.is(await made.left(), 'J4');
  await look();
  assert.is(await made.left(), '');
});

test('a journal goes only once the claims have moved since its seal was seen: so no claim of its own lands later (N7)', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, J)]);
  await made.claim([claim(2, ME), claim(2, ME)]);
  await made.journal(J);
  await made.flushed(ME, { 0: 2, 1: 2 });
  const look = made.janitor();
  const late = encodeClaims({ id: 'late', by: J, at: 0, map: [claim(3, J), claim(2, ME)] });
  await look();
  const before = await made.log.read(CLAIMS_LOG, 0);
  await look();
  assert.is(await made.left(), '');
  assert.equal(await made.log.append(CLAIMS_LOG, 2, late), { kind: 'conflict' });
  const last = decodeRecord((await made.log.read(CLAIMS_LOG, 2))[0]?.record ?? '', 'claims');
  const known = decodeRecord(before.at(-1)?.record ?? '', 'claims');
  assert.equal(last.kind === 'claims' && last.map, known.kind === 'claims' && known.map, 'nobody owns anything else');
});

test('a claim that lands meanwhile keeps the journal', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, J)]);
  await made.claim([claim(2, ME), claim(2, ME, 0)]);
  await made.journal(J);
  await made.flushed(ME, { 0: 2, 1: 2 });
  const look = made.janitor();
  await look();
  await made.claim([claim(2, ME), claim(3, J)]);
  await look();
  assert.is(await made.left(), 'J4');
});

test('a sealed journal stays until its event log has ended; without a broker there is none', async () => {
  for (const hasBroker of [true, false]) {
    const made = await rig();
    await made.claim([claim(1, J), claim(1, J)]);
    await made.claim([claim(2, ME), claim(2, ME)]);
    await made.journal(J, { ended: false });
    await made.flushed(ME, { 0: 2, 1: 2 });
    const look = made.janitor({ hasBroker });
    await twice(look);
    assert.is(await made.left(), hasBroker ? 'J4' : '');
    if (!hasBroker) continue;
    await made.events.publish(J, 0, 3, '[]', FIRST);
    await twice(look);
    assert.is(await made.left(), '');
  }
});

test('an event log that nobody ends is ended, the oldest first', async () => {
  const made = await rig();
  await made.claim([claim(1, ME), claim(1, ME)]);
  await made.journal(J, { ended: false });
  await made.journal(K, { ended: false });
  await made.flushed(ME, { 0: 1, 1: 1 });
  const look = made.janitor();
  await twice(look);
  assert.equal(made.tails, [], 'the one who waits for it is first');
  for (let i = 0; i < 6; i++) await look();
  assert.equal(made.tails, [J, K]);
  assert.is(await made.left(), '');
});

test("while EVENTS may forget, a sealed journal outlives the broker's sync, and each node's latest stays an hour", async () => {
  const made = await rig();
  await made.claim([claim(1, ME), claim(1, ME)]);
  await made.journal(J);
  await made.journal(K);
  await made.journal(L, { node: M });
  await made.flushed(ME, { 0: 1, 1: 1 });
  const look = made.janitor({ eventsMayForget: true });
  await twice(look);
  made.nowMs += FORGETTABLE_MS - 3 * limits.readSpareMs;
  await look();
  assert.is(await made.left(), 'J4 K4 L4', 'the end of J is perhaps not synced');
  await twice(look);
  assert.is(await made.left(), 'K4 L4');
  made.nowMs += limits.keepPublishedMs - FORGETTABLE_MS - 3 * limits.readSpareMs;
  await look();
  assert.is(await made.left(), 'K4 L4');
  await twice(look);
  assert.is(await made.left(), '');
});

test('one that is gone without a seal and owns nothing is sealed, closed and forgotten, even without a record', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, ME)]);
  await made.claim([claim(1, J, 3), claim(1, ME)]);
  await made.claim([claim(2, ME), claim(1, ME)]);
  await made.journal(J, { sealed: false });
  await made.journal(K, { sealed: false, records: 0 });
  await made.flushed(ME, { 0: 2, 1: 1 });
  const look = made.janitor();
  await twice(look);
  assert.is(await made.left(), 'J3 K0', 'both may live');
  made.gone.add(J).add(K);
  await twice(look);
  assert.is(await made.left(), 'J4 K1', 'it may have just begun: its claim, which is on its way, then meets its seal');
  assert.is((await made.snapshots.journals()).find(({ journal }) => journal === J)?.closed, true);
  for (let i = 0; i < 16; i++) await look();
  assert.is(await made.left(), '');
});

test('one that has a seal and owns nothing is closed and forgotten, also where nobody can tell who lives', async () => {
  const rig = new Rig();
  await rig.journal(J, { closed: false });
  await rig.journal(K, { sealed: false });
  await rig.claim([claim(1, J, 3), claim(1, J, 3)]);
  await rig.claim([claim(2, ME), claim(2, ME)]);
  await rig.flushed(ME, { 0: 2, 1: 2 });
  const look = rig.janitor();
  for (let i = 0; i < 6; i++) await look();
  const rows = await rig.snapshots.journals();
  assert.equal(
    rows.map(({ journal, closed }) => [journal, closed]),
    [
      [K, false],
      [ME, false],
    ],
  );
});

test('one that is gone and still owns a partition is left to whoever takes over', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, ME)]);
  await made.journal(J, { sealed: false });
  await made.flushed(ME, { 0: 1, 1: 1 });
  made.gone.add(J);
  const look = made.janitor();
  await twice(look);
  await twice(look);
  assert.is(await made.left(), 'J3');
});

test('claims stay as far back as a partition row needs them', async () => {
  const made = await rig();
  await made.claim([claim(1, ME), null]);
  await made.claim([claim(1, ME), claim(1, K)]);
  await made.claim([claim(2, ME), claim(1, K)]);
  await made.claim([claim(2, ME), claim(2, K)]);
  await made.claim([claim(2, ME), claim(3, K)]);
  const look = made.janitor();
  await made.flushed(ME, { 0: 2 });
  await twice(look);
  assert.is(await made.length(CLAIMS_LOG), 5, 'partition 1 has no row');
  await made.flushed(ME, { 1: 1 });
  await look();
  assert.is(await made.length(CLAIMS_LOG), 5, 'not before the next look');
  await look();
  assert.is(await made.length(CLAIMS_LOG), 3, 'the first of them has the claim that the row of partition 1 refers to');
  await made.flushed(ME, { 1: 3 });
  await twice(look);
  assert.is(await made.length(CLAIMS_LOG), 1, 'partition 0 has its claim there too: each record has the whole map');
});

test('claims stay while they are the last to name a sealed journal that is not forgotten', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, J)]);
  await made.claim([claim(2, ME), claim(2, ME)]);
  await made.journal(J, { ended: false });
  await made.flushed(ME, { 0: 2, 1: 2 });
  const look = made.janitor();
  await twice(look);
  assert.is(await made.length(CLAIMS_LOG), 2);
  await made.events.publish(J, 0, 3, '[]', FIRST);
  for (let i = 0; i < 4; i++) await look();
  assert.is(await made.left(), '');
  assert.is(await made.length(CLAIMS_LOG), 1);
});

test('two at once are harmless', async () => {
  const made = await rig();
  await made.claim([claim(1, J), claim(1, K)]);
  await made.claim([claim(2, ME), claim(2, ME)]);
  await made.journal(J);
  await made.journal(K);
  await made.flushed(ME, { 0: 2, 1: 2 });
  const looks = [made.janitor(), made.janitor()];
  for (let i = 0; i < 4; i++) await Promise.all(looks.map((look) => look()));
  assert.is(await made.left(), '');
  assert.is(await made.length(journalLog(J)), 1);
  assert.is(await made.length(CLAIMS_LOG), 1);
});

test.run();
