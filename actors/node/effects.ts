/**
 * The inputs and effects of a node. The node itself does no I/O: a driver passes inputs to it, takes its effects and
 * carries them out.
 */
import type { OrderId, WriteId } from '../ids.js';
import type { OrderState } from '../order/order.js';
import type { Confirmation, NumberedLetter } from '../ports/letters.js';
import type { ActReply, ActRequest, PlaceReply, PlaceRequest, StockReply, StockRequest } from '../ports/owners.js';
import type { PaymentRequest } from '../ports/payments.js';
import type { ProductState } from '../product/inventory.js';
import type { Letter } from '../protocol.js';
import type { Flush } from './flush.js';
import type { Join, JournaledEvent } from './record.js';
import type { AnsweredWrite } from './remembered-writes.js';
import type { TurnOutputs } from './turn-outputs.js';
import type { World } from './world.js';

/** Identifies a request of an edge until it is answered. */
export type Request = number;

/** A command of an edge; `partition` is that of its order or product. */
export type EdgeItem =
  | { readonly kind: 'place'; readonly request: Request; readonly ask: PlaceRequest; readonly partition: number }
  | { readonly kind: 'act'; readonly request: Request; readonly ask: ActRequest; readonly partition: number }
  | {
      readonly kind: 'stock';
      readonly request: Request;
      readonly ask: StockRequest;
      readonly partition: number;
      readonly answered: readonly AnsweredWrite[];
    };

export type InboxItem =
  | EdgeItem
  | { readonly kind: 'letter'; readonly letter: NumberedLetter }
  /** A command of the runtime itself to an actor in memory. */
  | { readonly kind: 'own'; readonly letter: Letter; readonly correlation: string; readonly partition: number }
  /**
   * Partitions that begin to run, with everything that was loaded and replayed of them. Many joins may take several
   * records: `added` counts those in the records before.
   */
  | { readonly kind: 'join'; readonly world: World; readonly joins: readonly Join[]; added: number }
  | { readonly kind: 'probe'; readonly request: Request };

export type Effect =
  /** Append the text to the node's own journal, unchanged in every retry. */
  | {
      readonly kind: 'append';
      readonly n: number;
      readonly recordId: string;
      readonly record: string;
      /** The partitions that run from this record on. */
      readonly joins: readonly Join[];
      /** The first call makes the turn's outputs. The best time is while the append is under way. */
      readonly turn: { readonly applied: readonly JournaledEvent[]; outputs(): TurnOutputs };
    }
  | { readonly kind: 'replyPlace'; readonly request: Request; readonly reply: PlaceReply }
  /** Replies to a place request whose order was decided before it came into memory: the driver reads its history. */
  | { readonly kind: 'replyDecided'; readonly request: Request; readonly order: OrderId; readonly repeat: boolean }
  | { readonly kind: 'replyAct'; readonly request: Request; readonly reply: ActReply }
  | { readonly kind: 'replyStock'; readonly request: Request; readonly reply: StockReply }
  | { readonly kind: 'replyProbe'; readonly request: Request }
  /** The order is durable and undecided: from now on an impatient client may get 202. */
  | { readonly kind: 'accepted'; readonly request: Request; readonly state: OrderState }
  | {
      readonly kind: 'lookUp';
      readonly number: number;
      readonly orders: readonly OrderId[];
      readonly writes: readonly WriteId[];
    }
  /** Read this order from its archive. Many are read at once. */
  | { readonly kind: 'readArchived'; readonly order: OrderId }
  | { readonly kind: 'flush'; readonly flush: Flush }
  | { readonly kind: 'send'; readonly letters: readonly NumberedLetter[] }
  | { readonly kind: 'confirm'; readonly confirmation: Confirmation }
  | ({ readonly kind: 'pay' } & PaymentRequest)
  /** This machine's clock is behind the time of its turns by `behindMs`; 0: it has caught up. */
  | { readonly kind: 'clockBehind'; readonly behindMs: number }
  /** A decision threw: broken code or a poisoned message. The item had no effect. */
  | { readonly kind: 'deadLetter'; readonly item: InboxItem; readonly error: unknown };

/** An actor's state as this node's memory shows it to a reader. */
export type Sight<State> =
  | { readonly kind: 'now'; readonly state: State }
  /** The actor changed in the turn under way: read again when that turn is appended. */
  | { readonly kind: 'later' }
  | { readonly kind: 'absent' }
  /** This node does not own its partition. */
  | { readonly kind: 'elsewhere' };

export type OrderSight = Sight<OrderState>;
export type ProductSight = Sight<ProductState>;
