/**
 * The requests that wait for the owner's answer. Each has its own deadline, so none waits for ever, and
 * at most limits.waitingRequests wait at once. The edge limits how many clients may wait.
 */
import type { OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Request } from '../../actors/node/effects.js';
import type { OrderState } from '../../actors/order/order.js';
import type { ActReply, PlaceReply, StockReply } from '../../actors/ports/owners.js';

export type Reply = PlaceReply | ActReply | StockReply;

/** The options of a request to place an order. */
export interface Placed {
  readonly order?: OrderId | undefined;
  /** The request is answered as soon as the order is durable. */
  readonly impatient?: boolean | undefined;
}

interface Waiting extends Placed {
  readonly deadlineMs: number;
  /** Set once the order is durable: after its deadline the request is then answered with 202. */
  accepted: OrderState | undefined;
  readonly resolve: (reply: Reply) => void;
}

export class WaitingRequests {
  private next: Request = 1;
  private readonly waiting = new Map<Request, Waiting>();

  get isFull(): boolean {
    return this.waiting.size >= limits.waitingRequests;
  }

  get size(): number {
    return this.waiting.size;
  }

  add(deadlineMs: number, resolve: (reply: Reply) => void, placed: Placed = {}): Request {
    const request = this.next++;
    const { order, impatient } = placed;
    this.waiting.set(request, { deadlineMs, resolve, order, impatient, accepted: undefined });
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
    waiting.resolve(reply);
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

  /** The incarnation is over: the next owner continues accepted orders, and the client may repeat any other request. */
  end(why: string): void {
    for (const waiting of this.waiting.values()) {
      if (waiting.accepted !== undefined) waiting.resolve({ kind: 'pending', state: waiting.accepted });
      else waiting.resolve({ kind: 'unavailable', why });
    }
    this.waiting.clear();
  }
}
