/** What the edge asks of the owners of orders and products. Types alone; what a port promises is held by its contract suite. */
import type { OrderId, ProductId, UserId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { ProductState } from '../product/inventory.js';
import type {
  AdjustCommand,
  OrderAct,
  OrderContent,
  OrderRefusal,
  ProductRefusal,
  ReceiveCommand,
} from '../protocol.js';

/** Not a no: what was asked may still come to be, unless nobody was asked. */
export interface NoAnswer {
  readonly kind: 'unavailable';
  readonly why: string;
  /** Nobody was there to be asked: nothing was done, and `why` is a sentence that a client may read. */
  readonly absent?: boolean;
}

export interface PlaceRequest {
  readonly order: OrderId;
  readonly content: OrderContent;
  readonly correlation: string;
  /** Drawn at random by this process just now: no look-up is needed. */
  readonly fresh: boolean;
  /** Answered as soon as it is durable, decided or not. */
  readonly impatient?: boolean | undefined;
  /** The client's key, where it may be the id of one of the caller's imported orders. */
  readonly alias?: OrderId | undefined;
}

export type PlaceReply =
  /** The order as it was decided, in every repeat as well. `repeat`: it stood already when it was asked for. */
  | { readonly kind: 'outcome'; readonly state: OrderState; readonly repeat: boolean }
  /** The wait is over, the order is durable and goes on. */
  | { readonly kind: 'pending'; readonly state: OrderState }
  | { readonly kind: 'refused'; readonly refusal: OrderRefusal | 'too_large' | 'broken' }
  | NoAnswer;

export interface ActRequest {
  readonly order: OrderId;
  readonly command: OrderAct;
  readonly correlation: string;
  /** Only an order at one of these versions is changed. */
  readonly ifVersions?: readonly number[];
  /** An order at one of these versions is not changed. */
  readonly unlessVersions?: 'any' | readonly number[];
  /** Whose orders are seen: another's is as if there were none. */
  readonly user?: UserId;
  /** It bears no key of a client's: nobody can repeat it, and a no needs no memory. */
  readonly fresh?: boolean;
  /** What an older version made of the same request where it has another fingerprint today. */
  readonly oldFingerprint?: string | undefined;
}

export type ActReply =
  /** `repeat`: this very request had its effect before. */
  | { readonly kind: 'done'; readonly state: OrderState; readonly repeat: boolean }
  | {
      readonly kind: 'refused';
      readonly refusal: OrderRefusal | 'too_large' | 'broken';
      /** As it stands; undefined where there is none to be seen. */
      readonly state: OrderState | undefined;
      /** This very request was refused so before. */
      readonly repeat?: boolean;
    }
  | NoAnswer;

export interface StockRequest {
  readonly product: ProductId;
  readonly command: ReceiveCommand | AdjustCommand;
  readonly correlation: string;
  readonly fresh: boolean;
  readonly oldFingerprint?: string | undefined;
  /** May put right what was refused under the same name: another content is then no other request. */
  readonly corrects?: boolean;
}

export type StockReply =
  | { readonly kind: 'done'; readonly state: ProductState; readonly repeat: boolean }
  | {
      readonly kind: 'refused';
      readonly refusal: ProductRefusal | 'too_large' | 'broken';
      readonly state: ProductState;
      /** This very request was refused so before, for this product of it. */
      readonly repeatOf?: ProductId;
    }
  | NoAnswer;

/** The owners' counter: what the edge asks, answered from what is appended. Rejects with Unavailable (unavailable.ts). */
export interface Owners {
  place(request: PlaceRequest, waitMs: number): Promise<PlaceReply>;
  act(request: ActRequest, waitMs: number): Promise<ActReply>;
  stock(request: StockRequest, waitMs: number): Promise<StockReply>;
  order(id: OrderId): Promise<OrderState | undefined>;
  product(id: ProductId): Promise<ProductState | undefined>;
  /** Resolves once everything appended so far about this order can be read from Queries. */
  flushed(id: OrderId): Promise<void>;
  /** What keeps this node from serving; undefined when nothing does. A real write with a deadline. */
  notReady(): Promise<string | undefined>;
}
