/**
 * Random walks: partitions move between journals that live on, nodes die with and without a seal, the broker loses the
 * end of EVENTS and gives no answer. At the end each partition's events are on EVENTS once and in order.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JournalId, journalId, orderId } from '../../../actors/ids.js';
import { eventBatch } from '../../../actors/node/cloud-events.js';
import {
  encodeSeal,
  encodeTurn,
  type Join,
  type JournaledEvent,
  journalLog,
  packCascade,
  packEvent,
} from '../../../actors/node/record.js';
import type { EventLog } from '../../../actors/ports/events.js';
import type { Clock, Logger } from '../../../actors/ports/runtime.js';
import { type JournalRow, NOWHERE } from '../../../actors/ports/snapshot-rows.js';
import { EventOrder } from '../../../bus/events/event-order.js';
import { memoryEvents } from '../../../bus/events/memory-events.js';
import { eventPublisher, type Publisher } from '../../../bus/events/publisher.js';
import { memoryLog } from '../../../bus/journal/memory-log.js';

const WALKS = 40;
const STEPS = 120;
const DRAIN_ROUNDS = 20_000;
const PARTITIONS = 3;
const NODES = 3;
const SOURCE = '/walk';

type After = Join['after'];

/** A small generator of numbers: the same seed, the same walk. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const oneRound = () => new Promise<void>((done) => setImmediate(done));

interface Live {
  readonly journal: JournalId;
  readonly publisher: Publisher;
  readonly order: EventOrder;
  isDead: boolean;
}

interface Partition {
  owner: JournalId;
  /** By which its next owner must join. */
  chain: After;
  seq: number;
  mustJoin: boolean;
}

class Walk {
  private readonly random: () => number;
  /** Of the calls, whose number differs: the steps are the same in each run of a seed. */
  private readonly chance: () => number;
  private readonly log = memoryLog({ pageRecords: 4 });
  private readonly memory = memoryEvents();
  private readonly events: EventLog;
  private readonly rows = new Map<JournalId, JournalRow>();
  private readonly lengths = new Map<JournalId, number>();
  private readonly sealed = new Set<JournalId>();
  private readonly nodes: Live[] = [];
  private readonly partitions: Partition[];
  private readonly all = new Map<JournalId, Live>();
  private outages = 0;
  private isCalm = false;
  readonly done = { moves: 0, deaths: 0, losses: 0 };

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.chance = randomOf(-seed);
    this.events = {
      keptSinceMs: () => this.call(() => this.memory.keptSinceMs()),
      last: (journal) => this.call(() => this.memory.last(journal)),
      publish: (...args) => this.call(() => this.memory.publish(...args)),
    };
    for (let i = 0; i < NODES; i++) this.nodes.push(this.boot());
    this.partitions = Array.from({ length: PARTITIONS }, () => {
      return { owner: this.any(this.nodes).journal, chain: [], seq: 0, mustJoin: true };
    });
  }

  async run(): Promise<void> {
    for (let i = 0; i < STEPS; i++) {
      await this.step();
      for (let rounds = this.whole(4); rounds > 0; rounds--) await oneRound();
    }
    this.isCalm = true;
    for (let p = 0; p < PARTITIONS; p++) await this.append(p); // So everything before must be out.
    for (let round = 0; round < DRAIN_ROUNDS && !this.isOut(); round++) await oneRound();
    for (const live of this.all.values()) this.end(live);
  }

  /** By partition: the numbers of its events, in the order of EVENTS. */
  get published(): number[][] {
    const messages = [...this.all.keys()].flatMap((journal) => this.memory.messages(journal));
    messages.sort((a, b) => a.position - b.position);
    const ids = messages.flatMap(({ batch }) => (JSON.parse(batch) as { id: string }[]).map(({ id }) => id));
    return this.partitions.map((_, p) =>
      ids.flatMap((id) => new RegExp(`P${p}\\D+(\\d+)$`).exec(id)?.[1] ?? []).map(Number),
    );
  }

  get expected(): number[][] {
    return this.partitions.map(({ seq }) => Array.from({ length: seq }, (_, i) => i + 1));
  }

  // -------------------------------------------------------------- steps

  private async step(): Promise<void> {
    const kind = this.random();
    const p = this.whole(PARTITIONS);
    if (kind < 0.55) await this.append(p);
    else if (kind < 0.6) await this.turn(this.any(this.nodes).journal, [], []);
    else if (kind < 0.82) await this.move(p);
    else if (kind < 0.92) await this.die(this.whole(NODES));
    else this.lose();
  }

  private async append(p: number): Promise<void> {
    const partition = this.partition(p);
    const home = this.partitions.flatMap((each, i) => (each.owner === partition.owner && this.random() < 0.5 ? i : []));
    const events: JournaledEvent[] = [];
    const joins: Join[] = [];
    for (const i of new Set([p, ...home])) {
      const each = this.partition(i);
      if (each.mustJoin) joins.push({ partition: i, epoch: 1, after: each.chain });
      each.mustJoin = false;
      // A join is a record without events, or comes with the first of them.
      if (joins.length > 0 && !this.isCalm && this.random() < 0.5) continue;
      each.seq += 1;
      events.push({ of: { kind: 'order', id: orderId(`P${i}`) }, version: each.seq, event: { type: 'confirmed' } });
    }
    await this.turn(partition.owner, events, joins);
  }

  /** Released at the journal's end, and claimed by another: both live on. */
  private async move(p: number): Promise<void> {
    const partition = this.partition(p);
    const to = this.any(this.nodes).journal;
    this.done.moves++;
    const released = this.lengths.get(partition.owner) ?? 0;
    // Of a partition that has not joined yet, what it must wait for goes on to the next.
    partition.chain = [...(partition.mustJoin ? partition.chain : []), [partition.owner, released]];
    Object.assign(partition, { owner: to, mustJoin: true });
    if (this.random() < 0.3) await this.append(p);
  }

  private async die(i: number): Promise<void> {
    const dead = this.nodes[i] as Live;
    this.done.deaths++;
    this.end(dead);
    const next = this.boot();
    this.nodes[i] = next;
    const lost = this.partitions.filter(({ owner }) => owner === dead.journal);
    if (lost.length === 0) return; // It owns nothing: nobody seals it, unless somebody waits for it.
    await this.seal(dead.journal);
    for (const partition of lost) {
      partition.chain = [...(partition.mustJoin ? partition.chain : []), [dead.journal, 'seal']];
      Object.assign(partition, { owner: this.any(this.nodes).journal, mustJoin: true });
    }
  }

  /** The broker is away, and comes back without its last messages. */
  private lose(): void {
    const all = [...this.all.keys()].flatMap((journal) =>
      this.memory.messages(journal).map(({ position }) => position),
    );
    const from = all.sort((a, b) => a - b).at(-1 - this.whole(8)) ?? 0;
    this.done.losses++;
    this.outages++;
    for (const journal of this.all.keys()) {
      this.memory.keep(journal, 0, this.memory.messages(journal).filter(({ position }) => position < from).length);
    }
    for (const { order, publisher, isDead } of this.all.values()) {
      if (isDead) continue;
      order.recheck();
      publisher.recheck();
    }
  }

  // -------------------------------------------------------------- machinery

  private partition(p: number): Partition {
    return this.partitions[p] as Partition;
  }

  private isOut(): boolean {
    return this.published.every((seqs, p) => seqs.length >= this.partition(p).seq);
  }

  private boot(): Live {
    const journal = journalId(`J${this.all.size}`);
    this.rows.set(journal, { journal, node: 'n' as JournalRow['node'], closed: false, folded: NOWHERE, publishedN: 0 });
    const { log, events } = this;
    const clock = this.clock();
    const logger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const order = new EventOrder({
      ...{ journal, source: SOURCE, clock, logger, log, events },
      snapshots: { journals: async () => [...this.rows.values()] },
      isGone: (row) => this.all.get(row.journal)?.isDead === true,
      stopped: () => live.isDead,
    });
    const publisher = eventPublisher({
      ...{ journal, source: SOURCE, clock, logger, log, events },
      before: (joins) => order.before(journal, joins),
      startAfter: { n: 0, position: 0 },
    });
    const live: Live = { journal, publisher, order, isDead: false };
    this.all.set(journal, live);
    return live;
  }

  private end(live: Live): void {
    live.isDead = true;
    void live.publisher.stop();
  }

  private async seal(journal: JournalId): Promise<void> {
    // Somebody who waits for it may have sealed it.
    const record = encodeSeal({ id: `${journal}.`, journal, by: journal, at: 0 });
    await this.log.append(journalLog(journal), this.lengths.get(journal) ?? 0, record);
    const row = this.rows.get(journal);
    if (row !== undefined) this.rows.set(journal, { ...row, closed: true });
    this.sealed.add(journal);
  }

  private async turn(journal: JournalId, events: readonly JournaledEvent[], joins: readonly Join[]): Promise<void> {
    const n = (this.lengths.get(journal) ?? 0) + 1;
    const packed = events.map(({ of, version }) => packEvent('order', of.id, version, '{"type":"confirmed"}'));
    const turn = {
      id: `${journal} ${n}`,
      journal,
      n,
      at: 0,
      parts: {},
      letters: [],
      ...(joins.length > 0 && { joins }),
    };
    const record = encodeTurn(turn, packed.length === 0 ? [] : [packCascade('c', packed)]);
    const answer = await this.log.append(journalLog(journal), n - 1, record);
    assert.is(answer.kind, 'appended', 'only the living append');
    this.lengths.set(journal, n);
    const batch = eventBatch({ at: 0, cascades: [{ correlation: 'c', events }] }, SOURCE);
    this.all.get(journal)?.publisher.offer(n, n, batch, joins);
  }

  /** A call takes some rounds, may have no answer, and has none while the broker is away. */
  private async call<T>(effect: () => Promise<T>): Promise<T> {
    const { outages } = this;
    for (let rounds = this.chance(); rounds > 0.4; rounds -= 0.2) await oneRound();
    const hasTrouble = !this.isCalm && this.chance() < 0.06;
    if (outages !== this.outages || (hasTrouble && this.chance() < 0.5)) throw new Error('no answer, and no effect');
    const answer = await effect();
    for (let rounds = this.chance(); rounds > 0.4; rounds -= 0.2) await oneRound();
    if (outages !== this.outages || hasTrouble) throw new Error('no answer');
    return answer;
  }

  private clock(): Clock {
    return {
      now: () => 0,
      monotonic: () => 0,
      after: (_delayMs, run) => {
        const timer = setImmediate(run);
        return () => clearImmediate(timer);
      },
      soon: (run) => void setImmediate(run),
      id: () => 'id',
      random: this.chance,
    };
  }

  private readonly whole = (below: number): number => Math.floor(this.random() * below);
  private readonly any = <T>(from: readonly T[]): T => from[this.whole(from.length)] as T;
}

const test = suite('event order: walks');

test(`in ${WALKS} walks every event is published once, in order`, async () => {
  const done = { moves: 0, deaths: 0, losses: 0 };
  for (let seed = 1; seed <= WALKS; seed++) {
    const walk = new Walk(seed);
    await walk.run();
    assert.equal(walk.published, walk.expected, `walk ${seed}`);
    for (const kind of ['moves', 'deaths', 'losses'] as const) done[kind] += walk.done[kind];
  }
  for (const count of Object.values(done)) assert.ok(count > WALKS, JSON.stringify(done));
});

test.run();
