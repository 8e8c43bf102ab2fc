/**
 * The requests that wait for an owner's answer, each with its own deadline: none waits for ever, and
 * at most limits.waitingRequests wait at once. How many clients may wait is the edge's to say.
 */
import type { OrderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Request } from '../../actors/node/effects.js';
import type { OrderState } from '../../actors/order/order.js';
import type { ActReply, PlaceReply, StockReply } from '../../actors/ports/owners.js';

export type Reply = PlaceReply | ActReply | StockReply;

/** What is known of a request to place an order. */
export interface Placed {
  readonly order?: OrderId | undefined;
  /** Answered as soon as the order is durable. */
  readonly impatient?: boolean | undefined;
}

interface Waiting extends Placed {
  readonly deadlineMs: number;
  /** Set for an order once it is durable: who waits no longer is told 202. */
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

  /** Answers those whose patience is over. @param abandon told which order nobody waits for any more. */
  expire(nowMs: number, abandon: (request: Request, order: OrderId) => void): void {
    for (const [request, waiting] of this.waiting) {
      if (waiting.deadlineMs > nowMs) continue;
      this.waiting.delete(request);
      if (waiting.order !== undefined) abandon(request, waiting.order);
      if (waiting.accepted !== undefined) waiting.resolve({ kind: 'pending', state: waiting.accepted });
      else waiting.resolve({ kind: 'unavailable', why: 'it could not be made durable in time' });
    }
  }

  /** The incarnation is over: what is accepted goes on elsewhere, the rest may be asked again. */
  end(why: string): void {
    for (const waiting of this.waiting.values()) {
      if (waiting.accepted !== undefined) waiting.resolve({ kind: 'pending', state: waiting.accepted });
      else waiting.resolve({ kind: 'unavailable', why });
    }
    this.waiting.clear();
  }
}
