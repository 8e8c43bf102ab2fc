/** The requests of the edge to the owners of orders and products. Types only; a contract suite tests each promise. */
import type { OrderId, ProductId, UserId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { ProductState } from '../product/inventory.js';
import type {
  AdjustCommand,
  ImportedFacts,
  OrderAct,
  OrderContent,
  OrderRefusal,
  ProductRefusal,
  ReceiveCommand,
} from '../protocol.js';

/** No refusal: the request may still have its effect, unless no owner got it. */
export interface NoAnswer {
  readonly kind: 'unavailable';
  readonly why: string;
  /** No owner got the request: nothing was done, and `why` is a sentence that a client may read. */
  readonly absent?: boolean;
  /** The owner says why, as a sentence that a client may read. Nothing was done, and no other node knows better. */
  readonly told?: boolean;
  /** The partition is not, or no longer, of the node that was asked: the request may go to the partition's owner. */
  readonly moved?: boolean;
  /**
   * The client's key may be the id of this order, whose partition is another node's. Nothing was done. If the owner of
   * that order has it for the same user, the request is for that order; else it is repeated without `alias`.
   */
  readonly alias?: OrderId;
}

export interface PlaceRequest {
  readonly order: OrderId;
  readonly content: OrderContent;
  readonly correlation: string;
  /** The order was made elsewhere, under this id: it is imported, not placed. */
  readonly imported?: ImportedFacts | undefined;
  /** This process has just drawn the id at random: no look-up is needed. */
  readonly fresh: boolean;
  /** The client wants a reply as soon as the order is durable, decided or not. */
  readonly impatient?: boolean | undefined;
  /** The client's key, when it may be the id of one of the caller's orders. */
  readonly alias?: OrderId | undefined;
}

export type PlaceReply =
  /** The order as it was decided, for every repeat too. `repeat`: the order existed before this request. */
  | { readonly kind: 'outcome'; readonly state: OrderState; readonly repeat: boolean }
  /** The wait is over; the order is durable and its work continues. */
  | { readonly kind: 'pending'; readonly state: OrderState }
  /** `gone`: the order was removed with its archive. */
  | { readonly kind: 'refused'; readonly refusal: OrderRefusal | 'too_large' | 'broken' | 'gone' }
  | NoAnswer;

export interface ActRequest {
  readonly order: OrderId;
  readonly command: OrderAct;
  readonly correlation: string;
  /** Change the order only if it has one of these versions. */
  readonly ifVersions?: readonly number[];
  /** Do not change the order if it has one of these versions. */
  readonly unlessVersions?: 'any' | readonly number[];
  /** Only orders of this user exist for the request. */
  readonly user?: UserId;
  /** The request has no client's key: nobody can repeat it, so a refusal need not be remembered. */
  readonly fresh?: boolean;
  /** The fingerprint that an older version gave to the same request, when it differs from today's. */
  readonly oldFingerprint?: string | undefined;
}

export type ActReply =
  /** `repeat`: this same request had its effect before. */
  | { readonly kind: 'done'; readonly state: OrderState; readonly repeat: boolean }
  | {
      readonly kind: 'refused';
      /** `archived`: the order never changes any more. `gone`: it was removed with its archive. */
      readonly refusal: OrderRefusal | 'too_large' | 'broken' | 'archived' | 'gone';
      /** The present state; undefined when the caller can see no such order. */
      readonly state: OrderState | undefined;
      /** This same request got this refusal before. */
      readonly repeat?: boolean;
    }
  | NoAnswer;

export interface StockRequest {
  readonly product: ProductId;
  readonly command: ReceiveCommand | AdjustCommand;
  readonly correlation: string;
  readonly fresh: boolean;
  readonly oldFingerprint?: string | undefined;
  /** The write may correct a refused one: under the same ref, another content is then not refused as `other_body`. */
  readonly corrects?: boolean;
  /** The request has no effect. Its answer tells what is stored under the ref. */
  readonly looks?: boolean;
}

export type StockReply =
  | {
      readonly kind: 'done';
      readonly state: ProductState;
      readonly repeat: boolean;
      /** For a request that looks: the fingerprint of the write that had its effect under the ref, if one had. */
      readonly stored?: string;
    }
  | {
      readonly kind: 'refused';
      readonly refusal: ProductRefusal | 'too_large' | 'broken';
      readonly state: ProductState;
      /** The product for which this same request got this refusal before. */
      readonly repeatOf?: ProductId;
    }
  | NoAnswer;

/** Who waits for the reply to a command. */
export interface Caller {
  /** The owner sets it while it works: it ends the wait of a client that is gone. What has begun goes on. */
  hangUp?: (() => void) | undefined;
  /**
   * Takes a request that another owner has to decide by now, with the rest of its time. What it answers is the reply.
   * Without it the reply is a NoAnswer that says why.
   */
  readonly goOn?: (
    request: PlaceRequest | ActRequest | StockRequest,
    restMs: number,
  ) => Promise<PlaceReply | ActReply | StockReply>;
}

/** The owners as the edge sees them. Replies show only appended state. Rejects with Unavailable (unavailable.ts). */
export interface Owners {
  place(request: PlaceRequest, waitMs: number, caller?: Caller): Promise<PlaceReply>;
  act(request: ActRequest, waitMs: number, caller?: Caller): Promise<ActReply>;
  stock(request: StockRequest, waitMs: number, caller?: Caller): Promise<StockReply>;
  order(id: OrderId): Promise<OrderState | undefined>;
  product(id: ProductId): Promise<ProductState | undefined>;
  /** Resolves once Queries can read every change of this order that is appended by now. */
  flushed(id: OrderId): Promise<void>;
  /** The reason why this node cannot serve; undefined when it can. Makes a real write with a deadline. */
  notReady(): Promise<string | undefined>;
}
