/**
 * Asks the payment provider what the orders owe, a bounded number at once, each until it is answered. The
 * queues hold at most one operation of each order in memory, which are limited (limits.ordersInMemory).
 *
 * Every operation is idempotent by order id at the port, so that one without an answer is simply asked
 * again, also by the next incarnation: what is owed follows from the orders' states alone.
 */
import { limits } from '../actors/limits.js';
import type { Effect } from '../actors/node/effects.js';
import { Inbox } from '../actors/node/inbox.js';
import type { Clock, Logger, Payments } from '../actors/ports.js';
import type { PaymentOutcome } from '../actors/protocol.js';
import { pause } from './retry.js';

type Owed = Extract<Effect, { kind: 'pay' }>;

export class Cashier {
  /** Letting go and taking what is promised come before new promises. */
  private readonly urgent = new Inbox<Owed>();
  private readonly queue = new Inbox<Owed>();
  private underWay = 0;
  private stopped = false;

  constructor(
    private readonly payments: Payments,
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** Whether the order still owes it: what has timed out meanwhile is not asked any more. */
    private readonly isOwed: (owed: Owed) => boolean,
    private readonly answered: (owed: Owed, outcome: PaymentOutcome) => void,
  ) {}

  perform(owed: Owed): void {
    (owed.operation === 'authorize' ? this.queue : this.urgent).put(owed);
    this.next();
  }

  stop(): void {
    this.stopped = true;
  }

  private next(): void {
    while (!this.stopped && this.underWay < limits.paymentsAtOnce) {
      const line = this.urgent.size > 0 ? this.urgent : this.queue;
      const owed = line.peek();
      if (owed === undefined) return;
      line.shift();
      if (!this.isOwed(owed)) continue;
      this.underWay++;
      void this.settle(owed).finally(() => {
        this.underWay--;
        this.next();
      });
    }
  }

  private async settle(owed: Owed): Promise<void> {
    const { order, operation, minor, currency } = owed;
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        const outcome = await this.payments.perform(operation, order, { minor, currency });
        if (!this.stopped) this.answered(owed, outcome);
        return;
      } catch (error) {
        this.logger.warn({ order, operation, attempt, cause: String(error) }, 'the payment provider did not answer');
        await pause(this.clock, attempt);
      }
    }
  }
}
