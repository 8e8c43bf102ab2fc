/**
 * The requests that wait for an owner's answer, each with its own deadline: none waits for ever, and
 * at most limits.waitingRequests wait at once. How many clients may wait is the edge's to say.
 */
import type { OrderId } from '../actors/ids.js';
import { limits } from '../actors/limits.js';
import type { Request } from '../actors/node/effects.js';
import type { OrderState } from '../actors/order.js';
import type { PlaceReply, StockReply } from '../actors/ports.js';

interface Waiting {
  readonly deadlineMs: number;
  /** Set for an order once it is durable: the impatient client is told 202. */
  accepted?: OrderState;
  readonly order?: OrderId;
  readonly resolve: (reply: PlaceReply | StockReply) => void;
}

export class Requests {
  private next: Request = 1;
  private readonly waiting = new Map<Request, Waiting>();

  get isFull(): boolean {
    return this.waiting.size >= limits.waitingRequests;
  }

  get size(): number {
    return this.waiting.size;
  }

  add(deadlineMs: number, resolve: (reply: PlaceReply | StockReply) => void, order?: OrderId): Request {
    const request = this.next++;
    this.waiting.set(request, order === undefined ? { deadlineMs, resolve } : { deadlineMs, resolve, order });
    return request;
  }

  accept(request: Request, state: OrderState): void {
    const waiting = this.waiting.get(request);
    if (waiting !== undefined) waiting.accepted = state;
  }

  answer(request: Request, reply: PlaceReply | StockReply): void {
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
