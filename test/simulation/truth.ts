/**
 * The true state: the fold of all records that were appended to the journals and to the claims log.
 *
 *  - Each event of an actor is appended exactly once: versions are dense over all journals.
 *  - It counts only if its journal owns the actor's partition at that moment (ownership-truth.ts).
 *  - A write that was refused under a key never has an effect.
 *  - A letter keeps its number and its content (channels.C1), and is sent only after its append (node.N2). Numbers are
 *    dense in each channel over all journals, and only an appended letter has an effect.
 *  - An actor's times never go back, and no order of a partition is placed before an earlier one, whatever the clocks do.
 *  - Each event is checked when it is appended (order-truth.ts, stock-truth.ts).
 */
import { type OrderId, type ProductId, partitionOf } from '../../actors/ids.js';
import { decodeRecord, type JournaledEvent, type TurnRecord } from '../../actors/node/record.js';
import { absentOrder, hasOutcome, type OrderState } from '../../actors/order/order.js';
import { evolveOrder } from '../../actors/order/order-fold.js';
import type { Confirmation, NumberedLetter } from '../../actors/ports/letters.js';
import type { Log } from '../../actors/ports/log.js';
import { evolveProduct, type ProductState, unknownProduct } from '../../actors/product/inventory.js';
import type { OrderEvent, ProductEvent } from '../../actors/protocol.js';
import type { Counters } from './counters.js';
import { OrderTruth } from './order-truth.js';
import { OwnershipTruth } from './ownership-truth.js';
import { StockTruth } from './stock-truth.js';
import type { Verdict } from './verdict.js';

export class Truth {
  readonly orders = new Map<OrderId, OrderState>();
  /** Each order as it was when it was decided. */
  readonly decided = new Map<OrderId, OrderState>();
  readonly products = new Map<ProductId, ProductState>();
  /** The last version, by `<kind>/<id>`. */
  readonly versions = new Map<string, number>();
  readonly writes = new Set<string>();
  /** The writes that were refused under a key. */
  readonly refused = new Set<string>();
  readonly ownership: OwnershipTruth;
  events = 0;
  /** By partition. */
  private readonly lastPlacedAt = new Map<number, number>();
  private readonly letters = new Map<string, string>();
  /** By channel: the last number that was given, and the last that had its effect. */
  private readonly given = new Map<string, number>();
  private readonly seen = new Map<string, number>();

  private readonly stocks: StockTruth;
  private readonly orderTruth: OrderTruth;

  constructor(
    private readonly verdict: Verdict,
    private readonly counters: Counters,
    private readonly partitions: number,
  ) {
    this.ownership = new OwnershipTruth(verdict, counters, partitions);
    this.stocks = new StockTruth(verdict);
    this.orderTruth = new OrderTruth(verdict, this.stocks);
  }

  /** Wraps the log, so that this class sees every appended record. */
  watch(log: Log): Log {
    return {
      read: (name, after) => log.read(name, after),
      end: (name) => log.end(name),
      last: (name) => log.last(name),
      trim: (name, upTo) => log.trim(name, upTo),
      append: async (name, after, text, options) => {
        const answer = await log.append(name, after, text, options);
        if (answer.kind !== 'appended') return answer;
        const record = decodeRecord(text, name);
        if (record.kind === 'claims') this.ownership.claims(record);
        if (record.kind === 'seal') this.ownership.sealed(record);
        if (record.kind === 'turn') this.turn(record);
        return answer;
      },
    };
  }

  /** node.N2: a letter is sent only after its append. */
  left(letter: NumberedLetter): void {
    const words = this.letters.get(channel(letter));
    if (words === JSON.stringify(letter.letter)) return;
    const why = words === undefined ? 'was sent before its append' : 'was sent with other words than it was appended';
    this.verdict.fail('nothing leaves before its append', `letter ${channel(letter)} ${why}`);
  }

  confirmed({ from, to, upTo }: Confirmation): void {
    if ((this.seen.get(`${from}>${to}`) ?? 0) >= upTo) return;
    this.verdict.fail(
      'nothing leaves before its append',
      `letter ${from}>${to} ${upTo} was confirmed before its append`,
    );
  }

  private turn(turn: TurnRecord): void {
    this.ownership.turn(turn);
    const mustHave = (partition: number, what: string) => {
      if (turn.parts[partition] === undefined)
        this.verdict.fail(
          'one owner',
          `${what} in record ${turn.n} of ${turn.journal}, without partition ${partition}`,
        );
    };
    for (const { events } of turn.cascades) {
      for (const event of events) {
        mustHave(
          partitionOf(event.of.kind, event.of.id, this.partitions),
          `an event of ${event.of.kind} ${event.of.id}`,
        );
        this.event(event, turn.at);
      }
    }
    for (const { ref, product } of turn.refused ?? []) {
      mustHave(partitionOf('product', product, this.partitions), `a refused write of ${product}`);
      const write = `${ref} ${product}`;
      if (this.writes.has(write)) this.verdict.fail('a repeat is an answer', `write ${write}: done, then refused`);
      if (this.refused.has(write)) this.verdict.fail('no effect twice', `write ${write} is refused once more`);
      this.refused.add(write);
    }
    for (const letter of turn.letters) {
      const { from, to, number } = letter;
      mustHave(from, `a letter ${from}>${to}`);
      const last = this.given.get(`${from}>${to}`) ?? 0;
      if (number !== last + 1)
        this.verdict.fail('no effect twice', `letter ${channel(letter)} follows ${last} in its channel`);
      this.given.set(`${from}>${to}`, number);
      this.letters.set(channel(letter), JSON.stringify(letter.letter));
    }
    for (const [to, part] of Object.entries(turn.parts)) {
      for (const [from, last] of Object.entries(part.seen ?? {})) {
        const before = this.seen.get(`${from}>${to}`) ?? 0;
        if (last <= before) this.verdict.fail('no effect twice', `letter ${from}>${to} ${last} handled again`);
        if (last > (this.given.get(`${from}>${to}`) ?? 0))
          this.verdict.fail(
            'nothing leaves before its append',
            `letter ${from}>${to} ${last} handled, which nobody sent`,
          );
        this.seen.set(`${from}>${to}`, last);
      }
    }
  }

  private event({ of, version, event }: JournaledEvent, at: number): void {
    this.events++;
    this.counters.add(`${of.kind}: ${event.type}`);
    const name = `${of.kind}/${of.id}`;
    const last = this.versions.get(name) ?? 0;
    if (version !== last + 1) {
      this.verdict.fail(
        version <= last ? 'no effect twice' : 'a 2xx is durable',
        `${name} stands at version ${last}, and ${event.type} was appended as ${version}`,
      );
    }
    this.versions.set(name, version);
    const lastAt = (of.kind === 'order' ? this.orders.get(of.id) : this.products.get(of.id))?.updatedAt ?? 0;
    const partition = partitionOf(of.kind, of.id, this.partitions);
    const isPlaced = event.type === 'placed' || event.type === 'imported';
    if (at < Math.max(lastAt, isPlaced ? (this.lastPlacedAt.get(partition) ?? 0) : 0))
      this.verdict.fail('times never go back', `${name}: ${event.type} at ${at}, after ${lastAt}`);
    if (isPlaced) this.lastPlacedAt.set(partition, at);
    if (of.kind === 'order') {
      const before = this.orders.get(of.id) ?? absentOrder(of.id);
      const state = evolveOrder(before, event as OrderEvent, at);
      this.orders.set(of.id, state);
      if (hasOutcome(state) && !hasOutcome(before)) this.decided.set(of.id, state);
      if (event.type === 'failed' && event.reason === 'timed_out' && before.phase === 'charging')
        this.counters.add('order: expired while the provider was asked');
      if (event.type === 'stock_arrived' && state.lines.some(({ backordered }) => backordered > 0))
        this.counters.add('order: filled in part');
      this.orderTruth.happened(before, event as OrderEvent, state);
      return;
    }
    if (event.type === 'received' || event.type === 'adjusted') {
      const write = `${event.ref} ${of.id}`;
      if (this.writes.has(write)) this.verdict.fail('no effect twice', `write ${event.ref} on ${name}`);
      if (this.refused.has(write)) this.verdict.fail('a no stays a no', `write ${event.ref} on ${name}`);
      this.writes.add(write);
    }
    const before = this.products.get(of.id) ?? unknownProduct(of.id);
    const state = evolveProduct(before, event as ProductEvent, at);
    this.products.set(of.id, state);
    this.stocks.happened(before, event as ProductEvent, state);
  }
}

const channel = ({ from, to, number }: NumberedLetter): string => `${from}>${to} ${number}`;
