/**
 * What nodes tell one another, as JSON that people can read (`nats sub 'holdfast.>'`):
 *
 *   {"v":1,"from":<edge>,"name":<NODE_NAME>,"letters":[..],"confirmations":[..],"asks":[..],"got":[..],"answers":[..],"cancels":[..],"awaited":[..]}
 *
 *  M1. What is read equals what was written; only a member that was undefined is absent.
 *  M2. A reader drops a message of an unknown version, and says so.
 */
import type { OrderId, ProductId } from '../../actors/ids.js';
import { NO_LIFE, type OrderState } from '../../actors/order/order.js';
import type { Confirmation, NumberedLetter } from '../../actors/ports/letters.js';
import type {
  ActReply,
  ActRequest,
  NoAnswer,
  PlaceReply,
  PlaceRequest,
  StockReply,
  StockRequest,
} from '../../actors/ports/owners.js';
import type { ProductState } from '../../actors/product/inventory.js';
import type { PeerAddress } from './peer-link.js';

const MESSAGE_VERSION = 1;

/** A request to the owner of a partition, and its content. */
export type Wanted =
  | { readonly kind: 'place'; readonly body: PlaceRequest }
  /** Of its own kind: an older version must not take it for an order to be placed. */
  | { readonly kind: 'import'; readonly body: PlaceRequest }
  | { readonly kind: 'act'; readonly body: ActRequest }
  | { readonly kind: 'stock'; readonly body: StockRequest }
  | { readonly kind: 'order'; readonly body: OrderId }
  | { readonly kind: 'product'; readonly body: ProductId }
  | { readonly kind: 'flushed'; readonly body: OrderId };

interface AskHead {
  /** The edge's number for the request: the same each time it is asked. */
  readonly id: number;
  readonly partition: number;
  /** The epoch at which the edge believes that the receiver owns the partition. */
  readonly epoch: number;
  /** Rises with each ask of this edge: a repeat of an ask has a higher one. */
  readonly seq: number;
  /** How long the owner may take for the outcome. */
  readonly patienceMs: number;
  /** The edge has just drawn the id, or its client has no key; the owner has to check this (asks-served.ts). */
  readonly fresh?: true;
}

export type Ask = AskHead & Wanted;

/** An owner's answer: a reply to a command, or the result of a read. */
export type Answer =
  | { readonly reply: PlaceReply | ActReply | StockReply }
  /** Undefined: there is no such order or product. For `flushed` it is always undefined. */
  | { readonly state: OrderState | ProductState | undefined }
  /** A read without an answer. */
  | { readonly failed: NoAnswer };

export type AnswerTo = Answer & { readonly id: number };

export interface PeerMessage {
  /** Where the answers go: the edge of the sender's process. */
  readonly from: PeerAddress;
  /** The sender's NODE_NAME, for people. */
  readonly name: string;
  readonly letters?: readonly NumberedLetter[];
  readonly confirmations?: readonly Confirmation[];
  readonly asks?: readonly Ask[];
  /** Asks that the sender works on. */
  readonly got?: readonly number[];
  readonly answers?: readonly AnswerTo[];
  /** Asks whose client is gone. */
  readonly cancels?: readonly number[];
  /** Positions of the receiver's journal: somebody waits until the rows have them. */
  readonly awaited?: readonly number[];
}

export type MessagePart = Exclude<keyof PeerMessage, 'from' | 'name'>;

/** A part of a message that is longer than one text may be. */
export interface CutPart {
  readonly from: PeerAddress;
  readonly cut: { readonly of: number; readonly at: number; readonly parts: number; readonly text: string };
}

export class UnreadableMessage extends Error {
  override name = 'UnreadableMessage';
}

// ---------------------------------------------------------------- writing

export const headOf = (from: PeerAddress, name: string): string =>
  `{"v":${MESSAGE_VERSION},"from":${JSON.stringify(from)},"name":${JSON.stringify(name)}`;

export const cutText = ({ from, cut }: CutPart): string => JSON.stringify({ v: MESSAGE_VERSION, from, cut });

/** Whether the request may change something; the others read. */
export const isCommand = (kind: Wanted['kind']): boolean =>
  kind === 'place' || kind === 'import' || kind === 'act' || kind === 'stock';

/** The content of a request, written once for all its repeats. What is `fresh` stands in the head of each ask. */
export const bodyText = ({ kind, body }: Wanted): string =>
  JSON.stringify(isCommand(kind) ? { ...(body as object), fresh: undefined } : body);

export function askText({ id, partition, epoch, seq, patienceMs, fresh }: AskHead, kind: Wanted['kind'], body: string) {
  const head = `{"id":${id},"kind":"${kind}","partition":${partition},"epoch":${epoch},"seq":${seq}`;
  return `${head},"patienceMs":${patienceMs}${fresh === true ? ',"fresh":true' : ''},"body":${body}}`;
}

export const answerText = (id: number, answer: Answer): string => {
  if ('failed' in answer) return JSON.stringify({ id, failed: answer.failed });
  if ('state' in answer) return JSON.stringify({ id, state: answer.state && sparse(answer.state) });
  const { reply } = answer;
  const state = 'state' in reply ? reply.state : undefined;
  return JSON.stringify({ id, reply: state === undefined ? reply : { ...reply, state: sparse(state) } });
};

/** Most orders share one empty life, which is known by its identity: null stands for it. */
const sparse = (state: OrderState | ProductState) =>
  'life' in state && state.life === NO_LIFE ? { ...state, life: null } : state;

// ---------------------------------------------------------------- reading

/** @throws UnreadableMessage */
export function readMessage(text: string): PeerMessage | CutPart {
  let raw: PeerMessage & Partial<CutPart> & { readonly v?: unknown };
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new UnreadableMessage(`it is no JSON: ${String(error)}`);
  }
  if (raw?.v !== MESSAGE_VERSION) {
    throw new UnreadableMessage(`it has version ${String(raw?.v)}; this Holdfast reads version ${MESSAGE_VERSION}`);
  }
  if (raw.answers === undefined) return raw;
  return { ...raw, answers: raw.answers.map(whole) };
}

function whole(answer: AnswerTo): AnswerTo {
  if ('reply' in answer) {
    const { reply } = answer;
    if (!('state' in reply) || reply.state === undefined) return answer;
    return { ...answer, reply: { ...reply, state: withLife(reply.state) } as typeof reply };
  }
  if ('failed' in answer) return answer;
  return { id: answer.id, state: answer.state && withLife(answer.state) };
}

const withLife = (state: OrderState | ProductState): OrderState | ProductState =>
  'life' in state && (state.life as unknown) === null ? { ...state, life: NO_LIFE } : state;
