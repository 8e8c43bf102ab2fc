/**
 * Sends the payment operations that orders owe to the provider, a bounded number at once. It repeats each operation
 * until it has an answer or is not owed any more. The queue is bounded by the orders in memory (limits.ordersInMemory).
 *
 * The port makes every operation idempotent by its ref, so an operation without an answer is sent again. The next
 * incarnation may repeat it too, because the orders' states alone say what is owed. An operation that pauses takes no
 * place among those under way: an order without an answer delays no other order.
 */
import { limits } from '../../actors/limits.js';
import type { Effect } from '../../actors/node/effects.js';
import { Inbox } from '../../actors/node/inbox.js';
import type { Payments } from '../../actors/ports/payments.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { PaymentOutcome } from '../../actors/protocol.js';
import { pauseMs } from '../retry.js';

type Owed = Extract<Effect, { kind: 'pay' }>;

interface Attempt {
  readonly owed: Owed;
  /** From 0. */
  readonly number: number;
}

const LONGEST_PAUSE_MS = 5_000;
/** At most one log line in this time, for all operations without an answer. */
const COMPLAIN_EVERY_MS = 5_000;

export class Cashier {
  /** Captures, voids and refunds: they come before new authorizations. */
  private readonly urgent = new Inbox<Attempt>();
  private readonly queue = new Inbox<Attempt>();
  /** Each function cancels one pause. */
  private readonly pauses = new Set<() => void>();
  private underWay = 0;
  private complainedMs = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(
    private readonly payments: Payments,
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** Whether the order still owes the operation: it does not if the order timed out meanwhile. */
    private readonly isOwed: (owed: Owed) => boolean,
    private readonly answered: (owed: Owed, outcome: PaymentOutcome) => void,
  ) {}

  perform(owed: Owed): void {
    this.put({ owed, number: 0 });
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.pauses) cancel();
    this.pauses.clear();
  }

  // -------------------------------------------------------------- machinery

  private put(attempt: Attempt): void {
    (attempt.owed.operation === 'authorize' ? this.queue : this.urgent).put(attempt);
    this.next();
  }

  private next(): void {
    while (!this.stopped && this.underWay < limits.paymentsAtOnce) {
      const line = this.urgent.size > 0 ? this.urgent : this.queue;
      const attempt = line.peek();
      if (attempt === undefined) return;
      line.shift();
      if (!this.isOwed(attempt.owed)) continue;
      this.underWay++;
      void this.ask(attempt).finally(() => {
        this.underWay--;
        this.next();
      });
    }
  }

  private async ask(attempt: Attempt): Promise<void> {
    const { owed } = attempt;
    let outcome: PaymentOutcome;
    try {
      outcome = await this.payments.perform(owed);
    } catch (error) {
      if (!this.stopped) this.again(attempt, error);
      return;
    }
    if (!this.stopped) this.answered(owed, outcome);
  }

  private again({ owed, number }: Attempt, error: unknown): void {
    this.complain(owed, number, error);
    const cancel = this.clock.after(pauseMs(this.clock, number, LONGEST_PAUSE_MS), () => {
      this.pauses.delete(cancel);
      this.put({ owed, number: number + 1 });
    });
    this.pauses.add(cancel);
  }

  private complain({ order, operation, ref }: Owed, attempt: number, error: unknown): void {
    const nowMs = this.clock.monotonic();
    if (nowMs - this.complainedMs < COMPLAIN_EVERY_MS) return;
    this.complainedMs = nowMs;
    const waiting = this.pauses.size + this.urgent.size + this.queue.size + this.underWay;
    this.logger.warn(
      { order, operation, ref, attempt, waiting, cause: String(error) },
      'the payment provider did not answer',
    );
  }
}
