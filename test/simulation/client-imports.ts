/** Clients that tell of orders which were made elsewhere, also again and with another content. The first content stays. */
import { type OrderId, orderId, productId } from '../../actors/ids.js';
import { differences, type Import, importOf } from '../../actors/order/imported-order.js';
import type { PlaceReply } from '../../actors/ports/owners.js';
import type { Clients } from './clients.js';
import type { Chance } from './clock.js';
import type { Cluster } from './cluster.js';
import { tracedOrNot } from './traced.js';

interface Told {
  readonly id: OrderId;
  /** Two contents that differ. Whichever comes first stays. */
  readonly contents: readonly [Import, Import];
  /** An answer said that the order was new: no other may. */
  wasNew: boolean;
}

export class Imports {
  private readonly told: Told[] = [];
  private requests = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly clients: Clients,
  ) {}

  /** Tells of an order: of a new one, or mostly the same again, sometimes otherwise. */
  some(chance: Chance): void {
    const old = chance.hits(0.5) ? chance.any(this.told) : undefined;
    const told = old ?? this.another(chance);
    for (let i = chance.pick([1, 1, 2]); i > 0; i--)
      this.tell(told, told.contents[chance.hits(0.3) ? 1 : 0], this.clients.patience(chance));
  }

  askAllAgain(): void {
    for (const told of this.told) for (const content of told.contents) this.tell(told, content, 3_000);
  }

  // -------------------------------------------------------------- machinery

  private another(chance: Chance): Told {
    const id = orderId(`elsewhere-${this.cluster.around.faults.timeline.id()}`);
    const cost = { currency: 'USD', units: 19n, nanos: chance.pick([990_000_000, 989_999_999]) };
    const items = [{ product: productId('P0'), quantity: chance.whole(1, 3), cost }];
    const contentOf = (tracking: string) => importOf({ origin: 'shop', email: 'a@b.example', items, tracking });
    const told: Told = { id, contents: [contentOf('T-1'), contentOf('T-2')], wasNew: false };
    this.told.push(told);
    return told;
  }

  private tell(told: Told, { content, facts }: Import, waitMs: number): void {
    const machine = this.cluster.anyEdge();
    if (machine === undefined) return;
    const correlation = tracedOrNot(`i${++this.requests}`, this.requests);
    const ask = { order: told.id, content, imported: facts, correlation, fresh: false };
    this.clients.await(machine, `import ${told.id}`, waitMs, machine.owners.place(ask, waitMs), (reply) =>
      this.answered(told, { content, facts }, reply),
    );
  }

  private answered(told: Told, given: Import, reply: PlaceReply): void {
    const { verdict, faults, stores } = this.cluster.around;
    faults.counters.add(`client: import ${reply.kind}`);
    if (reply.kind === 'unavailable') return;
    if (reply.kind !== 'outcome') return verdict.fail('a repeat is an answer', `import ${told.id} was ${reply.kind}`);
    const stored = stores.truth.orders.get(told.id);
    const isTold = told.contents.some((content) => differences(reply.state, content).length === 0);
    if (stored === undefined) verdict.fail('a 2xx is durable', `import ${told.id} was answered before it was appended`);
    if (!isTold) verdict.fail('a repeat is an answer', `import ${told.id} has a content that nobody told`);
    if (told.wasNew && !reply.repeat) verdict.fail('one outcome', `import ${told.id} was new once more`);
    const isNoted = (field: string) => stored?.life.imported?.differed?.includes(field) === true;
    if (stored !== undefined && !differences(stored, given).every(isNoted))
      verdict.fail('a repeat is an answer', `import ${told.id} was told otherwise, and does not say so`);
    told.wasNew ||= !reply.repeat;
  }
}
