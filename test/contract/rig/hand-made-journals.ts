// Journals of several nodes, made by hand: turns of real decisions, numbered letters, claims, releases, joins and flushes,
// on a log in memory and rows in Postgres. Everything is consistent as made. A test changes single records before they are
// stored.
import {
  type Address,
  type JournalId,
  journalId,
  nodeId,
  orderId,
  partitionOf,
  productId,
} from '../../../actors/ids.js';
import {
  CLAIMS_LOG,
  type Claim,
  encodeClaims,
  encodeSeal,
  encodeTurn,
  eventJson,
  type Join,
  type JournaledEvent,
  journalLog,
  packCascade,
  packEvent,
  type TurnRecord,
} from '../../../actors/node/record.js';
import { operation } from '../../../actors/node/world.js';
import { absentOrder, type OrderState } from '../../../actors/order/order.js';
import { decideOrder } from '../../../actors/order/order-chart.js';
import { evolveOrder } from '../../../actors/order/order-fold.js';
import type { NumberedLetter } from '../../../actors/ports/letters.js';
import type { Log } from '../../../actors/ports/log.js';
import { NOWHERE, type OperationRow, type Place, type TurnRow } from '../../../actors/ports/snapshot-rows.js';
import type { Snapshots } from '../../../actors/ports/snapshots.js';
import { decideProduct, evolveProduct, type ProductState, unknownProduct } from '../../../actors/product/inventory.js';
import type { Letter, OrderCommand, OrderEvent, ProductCommand, ProductEvent } from '../../../actors/protocol.js';
import { uniqueName } from './storage-samples.js';

export const PARTITIONS = 4;
const AT = 1_712_345_678_901;

type Writable<T> = { -readonly [K in keyof T]: T[K] };
/** A record that a test may change before it is stored. */
export type MadeTurn = Writable<Omit<TurnRecord, 'parts' | 'letters' | 'joins' | 'cascades'>> & {
  parts: Record<number, { epoch: number; seen?: Record<number, number> }>;
  letters: NumberedLetter[];
  cascades: { correlation: string; events: JournaledEvent[] }[];
  joins?: Join[];
};

class MadeJournal {
  readonly name: JournalId = journalId(uniqueName('J'));
  readonly node = nodeId(uniqueName('node'));
  readonly turns: MadeTurn[] = [];
  isSealed = false;
  folded: Place = NOWHERE;
}

interface Channels {
  readonly seen: Record<number, number>;
  readonly sent: Record<number, { last: number; unconfirmed: NumberedLetter[] }>;
}

export class HandMade {
  readonly claims: (Claim | null)[][] = [];
  private readonly journals = new Map<string, MadeJournal>();
  private readonly orders = new Map<string, { state: OrderState; epoch: number; n: number }>();
  private readonly products = new Map<string, { state: ProductState; epoch: number; n: number }>();
  private readonly channels = Array.from({ length: PARTITIONS }, (): Channels => ({ seen: {}, sent: {} }));
  private stored = { claims: 0, turns: new Map<string, number>() };
  private moment = AT;

  constructor(
    readonly log: Log,
    private readonly snapshots: Snapshots,
  ) {}

  journal(name: string): MadeJournal {
    const known = this.journals.get(name);
    if (known === undefined) throw new Error(`no journal ${name} was opened`);
    return known;
  }

  async open(name: string): Promise<void> {
    const journal = new MadeJournal();
    this.journals.set(name, journal);
    await this.snapshots.openJournal(journal.name, journal.node);
  }

  // -------------------------------------------------------------- ownership

  claim(name: string, ...partitions: readonly number[]): void {
    const { name: journal, node } = this.journal(name);
    const at = ++this.moment;
    this.change((claim, i) => (partitions.includes(i) ? { epoch: (claim?.epoch ?? 0) + 1, node, journal, at } : claim));
  }

  /** Of what is flushed. */
  release(name: string, partition: number, to: string): void {
    const { folded } = this.journal(name);
    const { node } = this.journal(to);
    this.change((claim, i) => (i === partition && claim !== null ? { ...claim, released: folded.n, to: node } : claim));
  }

  join(name: string, ...partitions: readonly number[]): MadeTurn {
    const turn = this.append(name, partitions);
    const { name: journal } = this.journal(name);
    turn.joins = partitions.map((partition) => {
      const chain = this.claims.flatMap((map) => map[partition] ?? []);
      const before = chain.filter(
        ({ epoch }) => epoch < this.epochOf(partition) && epoch >= this.epochOf(partition) - 1,
      );
      const last = before.at(-1);
      const after: Join['after'] =
        last === undefined || last.journal === journal ? [] : [[last.journal, last.released ?? 'seal']];
      return { partition, epoch: this.epochOf(partition), after };
    });
    return turn;
  }

  seal(name: string): void {
    this.journal(name).isSealed = true;
  }

  // -------------------------------------------------------------- turns

  /** One turn without letters at home. @returns the letters that it sends */
  turn(name: string, letter: Letter, arrived?: NumberedLetter): NumberedLetter[] {
    const { to } = letter;
    const partition = partitionOf(to.kind, to.id, PARTITIONS);
    const turn = this.append(name, [partition]);
    const mark = { epoch: this.epochOf(partition), n: turn.n };
    const { events, letters } =
      to.kind === 'order'
        ? this.decide(to, letter.command as OrderCommand, mark, turn.at)
        : this.supply(to, letter.command as ProductCommand, mark, turn.at);
    turn.cascades.push({ correlation: 'made', events });
    const { seen, sent } = this.channel(partition);
    if (arrived !== undefined) {
      seen[arrived.from] = arrived.number;
      turn.parts[partition] = { epoch: mark.epoch, seen: { [arrived.from]: arrived.number } };
    }
    for (const each of letters) {
      const receiver = partitionOf(each.to.kind, each.to.id, PARTITIONS);
      const box = sent[receiver] ?? { last: 0, unconfirmed: [] };
      sent[receiver] = box;
      const numbered = { from: partition, to: receiver, number: ++box.last, correlation: 'made', letter: each };
      box.unconfirmed.push(numbered);
      turn.letters.push(numbered);
    }
    return turn.letters;
  }

  arrives(name: string, letter: NumberedLetter | undefined): NumberedLetter[] {
    if (letter === undefined) throw new Error('no letter was sent');
    return this.turn(name, letter.letter, letter);
  }

  confirm({ from, to, number }: NumberedLetter): void {
    const box = this.channel(from).sent[to];
    if (box !== undefined) box.unconfirmed = box.unconfirmed.filter((letter) => letter.number > number);
  }

  // -------------------------------------------------------------- rows and logs

  /** The rows get everything that the journal's partitions have done so far, here and in journals before. */
  async flush(name: string): Promise<void> {
    const journal = this.journal(name);
    const isMine = ({ of }: JournaledEvent) =>
      this.map[partitionOf(of.kind, of.id, PARTITIONS)]?.journal === journal.name;
    const history = new Map<string, TurnRow[]>();
    const operations = new Map<string, OperationRow[]>();
    for (const { n, at, cascades } of [...this.journals.values()].flatMap(({ turns }) => turns)) {
      for (const { correlation, events } of cascades) {
        for (const each of events) {
          const { of, version, event } = each;
          if (this.flushed.has(each) || !isMine(each)) continue;
          this.flushed.add(each);
          if (of.kind === 'order') {
            const row = { order: of.id, version, at, correlation, n, count: 1, events: JSON.stringify(event) };
            const rows = history.get(of.id) ?? [];
            const last = rows.at(-1);
            if (last?.n === n)
              rows[rows.length - 1] = { ...last, count: last.count + 1, events: `${last.events},${row.events}` };
            else rows.push(row);
            history.set(of.id, rows);
          } else {
            const state = this.balances.get(`${of.id} ${version}`);
            if (state === undefined) throw new Error('no such version');
            const row = operation(of.id, version, event as ProductEvent, state, at, correlation);
            operations.set(of.id, [...(operations.get(of.id) ?? []), row]);
          }
        }
      }
    }
    const products = [...operations].flatMap(([id, its]) => {
      const { state, epoch, n } = this.products.get(id) ?? {};
      if (state === undefined || epoch === undefined || n === undefined) return [];
      const partition = partitionOf('product', id, PARTITIONS);
      return [{ state, version: state.version, epoch, n, partition, isNew: false, operations: its }];
    });
    const orders = [...history].flatMap(([id, its]) => {
      const { state, epoch, n } = this.orders.get(id) ?? {};
      if (state === undefined || epoch === undefined || n === undefined) return [];
      const partition = partitionOf('order', id, PARTITIONS);
      return [{ state, version: state.version, epoch, n, partition, isNew: false, history: its }];
    });
    const last = journal.turns.at(-1);
    const to: Place = last === undefined ? journal.folded : { n: last.n, position: last.n, recordId: last.id };
    const rows = this.map.flatMap((claim, partition) => {
      if (claim?.journal !== journal.name) return [];
      const { seen, sent } = structuredClone(this.channel(partition));
      return [{ partition, epoch: claim.epoch, journal: journal.name, seen, sent }];
    });
    const { snapshots } = this;
    await snapshots.write(journal.name, { kind: 'products', rows: products, certain: false });
    await snapshots.write(journal.name, { kind: 'orders', rows: orders, certain: false });
    await snapshots.write(journal.name, { kind: 'last', partitions: rows, from: journal.folded, to, publishedN: 0 });
    journal.folded = to;
  }

  /** Appends what is not in the logs yet. */
  async store(): Promise<void> {
    for (const [i, map] of this.claims.entries()) {
      if (i < this.stored.claims) continue;
      await this.log.append(CLAIMS_LOG, i, encodeClaims({ id: `C${i}`, by: journalId('by'), at: AT, map }));
    }
    this.stored.claims = this.claims.length;
    for (const [name, { name: journal, turns, isSealed }] of this.journals) {
      const done = this.stored.turns.get(name) ?? 0;
      for (const [i, turn] of turns.entries())
        if (i >= done) await this.log.append(journalLog(journal), i, encoded(turn));
      this.stored.turns.set(name, turns.length);
      if (!isSealed) continue;
      const seal = encodeSeal({ id: `${journal} seal`, journal, by: journalId('by'), at: AT });
      await this.log.append(journalLog(journal), turns.length, seal);
    }
  }

  // -------------------------------------------------------------- machinery

  private readonly flushed = new Set<JournaledEvent>();
  /** By product and version: the product after that event. */
  private readonly balances = new Map<string, ProductState>();

  private get map(): (Claim | null)[] {
    return this.claims.at(-1) ?? Array.from({ length: PARTITIONS }, () => null);
  }

  private epochOf(partition: number): number {
    return this.map[partition]?.epoch ?? 0;
  }

  private channel(partition: number): Channels {
    const it = this.channels[partition];
    if (it === undefined) throw new Error(`no partition ${partition}`);
    return it;
  }

  private change(next: (claim: Claim | null, partition: number) => Claim | null): void {
    this.claims.push(this.map.map(next));
  }

  private append(name: string, partitions: readonly number[]): MadeTurn {
    const { name: journal, turns } = this.journal(name);
    const n = turns.length + 1;
    const parts = Object.fromEntries(partitions.map((partition) => [partition, { epoch: this.epochOf(partition) }]));
    const turn: MadeTurn = {
      kind: 'turn',
      id: `${journal} ${n}`,
      journal,
      n,
      at: ++this.moment,
      parts,
      letters: [],
      cascades: [],
    };
    turns.push(turn);
    return turn;
  }

  private decide(
    of: Address & { kind: 'order' },
    command: OrderCommand,
    mark: { epoch: number; n: number },
    at: number,
  ) {
    let state = this.orders.get(of.id)?.state ?? absentOrder(of.id);
    const decision = decideOrder(state, command, { instantPayment: () => 'authorized' });
    if ('refused' in decision) throw new Error(decision.refused);
    const events = decision.events.map((event: OrderEvent): JournaledEvent => {
      state = evolveOrder(state, event, at);
      return { of, version: state.version, event };
    });
    this.orders.set(of.id, { state, ...mark });
    return { events, letters: decision.letters };
  }

  private supply(
    of: Address & { kind: 'product' },
    command: ProductCommand,
    mark: { epoch: number; n: number },
    at: number,
  ) {
    let state = this.products.get(of.id)?.state ?? unknownProduct(of.id);
    const decision = decideProduct(state, command);
    if ('refused' in decision) throw new Error(decision.refused);
    const events = decision.events.map((event: ProductEvent): JournaledEvent => {
      state = evolveProduct(state, event, at);
      this.balances.set(`${of.id} ${state.version}`, state);
      return { of, version: state.version, event };
    });
    this.products.set(of.id, { state, ...mark });
    return { events, letters: decision.letters };
  }
}

const encoded = ({ cascades, ...turn }: MadeTurn): string =>
  encodeTurn(
    turn,
    cascades.map(({ correlation, events }) =>
      packCascade(
        correlation,
        events.map(({ of, version, event }) => packEvent(of.kind, of.id, version, eventJson(event))),
      ),
    ),
  );

/** An order of this partition. */
export const orderIn = (partition: number) => orderId(idIn('order', partition));
export const productIn = (partition: number) => productId(idIn('product', partition));

function idIn(kind: Address['kind'], partition: number): string {
  for (;;) {
    const id = uniqueName(kind === 'order' ? 'ORD' : 'P');
    if (partitionOf(kind, id, PARTITIONS) === partition) return id;
  }
}
