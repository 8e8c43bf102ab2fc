/**
 * The requests that wait for the owner's answer. Each has its own deadline, so none waits for ever, and
 * at most limits.waitingRequests wait at once. The edge limits how many clients may wait.
 */
import type { OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Request } from '../../actors/node/effects.js';
import type { OrderState } from '../../actors/order/order.js';
import type {
  ActReply,
  ActRequest,
  Caller,
  NoAnswer,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../actors/ports/owners.js';
import type { Clock } from '../../actors/ports/runtime.js';

export type Reply = PlaceReply | ActReply | StockReply;

/** What is waited for, and by whom. */
export interface Asked {
  readonly ask: PlaceRequest | ActRequest | StockRequest;
  readonly caller: Caller | undefined;
  /** The order to be placed. */
  readonly order: OrderId | undefined;
  /** The request is answered as soon as the order is durable. */
  readonly impatient: boolean | undefined;
}

interface Waiting extends Asked {
  readonly deadlineMs: number;
  /** Set once the order is durable: after its deadline the request is then answered with 202. */
  accepted: OrderState | undefined;
  readonly resolve: (reply: Reply | Promise<Reply>) => void;
}

/** Nothing more is decided here: another owner decides, under the same id. */
const isElsewhere = ({ moved, absent, alias }: NoAnswer): boolean =>
  moved === true || absent === true || alias !== undefined;

export class WaitingRequests {
  private next: Request = 1;
  private readonly waiting = new Map<Request, Waiting>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  get isFull(): boolean {
    return this.waiting.size >= limits.waitingRequests;
  }

  get size(): number {
    return this.waiting.size;
  }

  add(waitMs: number, resolve: Waiting['resolve'], { ask, caller, order, impatient }: Asked): Request {
    const request = this.next++;
    const deadlineMs = this.clock.monotonic() + waitMs;
    this.waiting.set(request, { deadlineMs, resolve, ask, caller, order, impatient, accepted: undefined });
    return request;
  }

  accept(request: Request, state: OrderState): void {
    const waiting = this.waiting.get(request);
    if (waiting === undefined) return;
    waiting.accepted = state;
    if (!waiting.impatient) return;
    this.waiting.delete(request);
    waiting.resolve({ kind: 'pending', state });
  }

  answer(request: Request, reply: Reply): void {
    const waiting = this.waiting.get(request);
    if (waiting === undefined) return;
    this.waiting.delete(request);
    this.settle(waiting, reply);
  }

  /** The client is gone. @param abandon called with the order that it waited for */
  cancel(request: Request, abandon: (order: OrderId) => void): void {
    const waiting = this.waiting.get(request);
    if (waiting === undefined) return;
    this.waiting.delete(request);
    if (waiting.order !== undefined) abandon(waiting.order);
    waiting.resolve({ kind: 'unavailable', why: 'the client is gone' });
  }

  /** Answers the requests past their deadline. @param abandon called for each order whose request waits no longer */
  expire(nowMs: number, abandon: (request: Request, order: OrderId) => void): void {
    for (const [request, waiting] of this.waiting) {
      if (waiting.deadlineMs > nowMs) continue;
      this.waiting.delete(request);
      if (waiting.order !== undefined) abandon(request, waiting.order);
      if (waiting.accepted !== undefined) waiting.resolve({ kind: 'pending', state: waiting.accepted });
      else waiting.resolve({ kind: 'unavailable', why: 'it could not be made durable in time' });
    }
  }

  /** The incarnation is over: the next owner decides under the same ids. */
  end(why: string): void {
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const waiting of all) this.settle(waiting, { kind: 'unavailable', why, moved: true });
  }

  /** An accepted order is durable: it goes on whoever owns it, so its client hears at least that. */
  private settle(waiting: Waiting, reply: Reply): void {
    const { ask, caller, accepted, deadlineMs, resolve } = waiting;
    if (reply.kind !== 'unavailable') return resolve(reply);
    const least: Reply = accepted === undefined ? reply : { kind: 'pending', state: accepted };
    if (!isElsewhere(reply)) return resolve(least);
    if (caller?.goOn === undefined) return resolve(reply);
    const restMs = Math.max(0, deadlineMs - this.clock.monotonic());
    const further = caller.goOn(ask, restMs);
    resolve(accepted === undefined ? further : further.then((next) => (next.kind === 'unavailable' ? least : next)));
  }
}
