// Public events written on EVENTS as nodes write them: some journals, each a chain of turns; orders that go through some of
// them. Whoever follows can be judged: `expected` is every event in the order of its actor.

import { type JournalId, journalId } from '../../../actors/ids.js';
import { jetstreamEvents } from '../../../bus/events/jetstream-events.js';
import type { Nats } from '../../../bus/nats/nats.js';
import { until } from '../../deadlines.js';

const STEPS = ['placed', 'held', 'paid', 'confirmed'];

interface WrittenTurn {
  readonly n: number;
  readonly previous: number;
  readonly batch: string;
}

interface WrittenEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
}

export class WrittenEvents {
  readonly expected: WrittenEvent[] = [];
  private readonly turns = new Map<JournalId, WrittenTurn[]>();
  private orders = 0;
  private nextTurn = new Map<JournalId, number>();

  constructor(
    private readonly nats: Nats,
    private readonly name = 'W',
  ) {}

  /** Turns of a few orders each, on journals in turn. Some turn numbers are left out, as turns without events do. */
  async write(turns: number, journals = 2): Promise<void> {
    for (let i = 0; i < turns; i++) {
      const journal = journalId(`${this.name}J${i % journals}`);
      const before = this.turns.get(journal) ?? [];
      const previous = before.at(-1)?.n ?? 0;
      const n = (this.nextTurn.get(journal) ?? 1) + (i % 3 === 0 ? 1 : 0);
      this.nextTurn.set(journal, n + 1);
      before.push({ n, previous, batch: JSON.stringify(this.someOrders(1 + (i % 4))) });
      this.turns.set(journal, before);
      await this.publish(journal);
    }
  }

  /** Writes again what EVENTS does not have any more: as publishers do after the broker was away. */
  async refill(): Promise<void> {
    for (const journal of this.turns.keys()) await this.publish(journal);
  }

  async seal(journal: JournalId): Promise<void> {
    const n = this.turns.get(journal)?.at(-1)?.n ?? 0;
    const events = await jetstreamEvents(this.nats, { replicas: 1 });
    await events.publish(journal, (await events.last(journal))?.position ?? 0, n, '[]', { previous: n });
  }

  // -------------------------------------------------------------- machinery

  private someOrders(count: number): object[] {
    return Array.from({ length: count }, () => {
      const order = `ORD-${this.name}${++this.orders}`;
      const events = STEPS.map((step, i) => this.event('order', order, i + 1, step));
      return [
        ...events.slice(0, 2),
        this.event('product', `PROD ${this.name}ü${this.orders % 5}`, this.orders, 'held'),
        ...events.slice(2),
      ];
    }).flat();
  }

  private event(kind: 'order' | 'product', subject: string, version: number, step: string): object {
    const type = `${kind === 'order' ? 'order' : 'inventory'}.${step}.v1`;
    const id = `${kind}/${subject}/${version}`;
    this.expected.push({ id, type, subject });
    const data = kind === 'order' ? { order_id: subject, at: version } : { product_id: subject, quantity: 1 };
    const time = '2026-11-29T18:00:00.000Z';
    return { specversion: '1.0', id, source: '/test', type, subject, time, datacontenttype: 'application/json', data };
  }

  private async publish(journal: JournalId): Promise<void> {
    const isOut = async () => {
      try {
        const events = await jetstreamEvents(this.nats, { replicas: 1 });
        const last = await events.last(journal);
        let position = last?.position ?? 0;
        for (const { n, previous, batch } of this.turns.get(journal) ?? []) {
          if (n <= (last?.n ?? 0)) continue;
          const answer = await events.publish(journal, position, n, batch, { previous });
          if (answer.kind !== 'appended') return false;
          position = answer.position;
        }
        return true;
      } catch {
        return false; // The broker is away.
      }
    };
    if (!(await until(isOut, 60_000))) throw new Error(`journal ${journal} was not written`);
  }
}
