/**
 * Acts on an existing order: cancel, ship, deliver, return and refund. Each is one command to the order's owner, which
 * decides by the state chart. The answer is the order after the act. A repeat under its key gets the same answer again,
 * even if that was a refusal.
 */
import { type OrderId, orderId, productId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { amountText, DEFAULT_CURRENCY, minorDigits, minorOfText, toMinor } from '../../actors/money.js';
import type { OrderState } from '../../actors/order/order.js';
import { FULFILLMENT_STATUSES, PAYMENT_STATUSES, STATUSES, TRANSITIONS } from '../../actors/order/transitions.js';
import type { ActReply, ActRequest, Owners } from '../../actors/ports/owners.js';
import type { Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { callerOf, sees } from '../../actors/principal.js';
import type { Line, OrderAct } from '../../actors/protocol.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import { type ApiRequest, idempotencyKey, type WaitingRoom } from '../api/api-request.js';
import { fromReadModel, goneOrder, invalidField, notFound, replayed } from '../api/failure.js';
import { type Answer, REPLAYED, success } from '../api/reply.js';
import type {
  CancelBody,
  DeliverBody,
  ExtendBody,
  ReceiveReturnBody,
  RefundBody,
  ReturnBody,
  ShipBody,
  StatusBody,
} from '../api/schemas.js';
import { byProduct, writeOf } from '../api/write-id.js';
import { ifMatch, ifNoneMatch } from '../wire/conditional.js';
import { asAnswered } from './first-answer.js';
import { actRefusal, actUnavailable, moreThanPaid, type VersionCondition } from './order-act-answer.js';
import { entityTag, orderJson, versionsOf } from './order-view.js';

interface OrderActsOptions {
  readonly owners: Owners;
  readonly queries: Pick<Queries, 'history' | 'isGone'>;
  readonly clock: Clock;
  readonly waiting: WaitingRoom;
  readonly waitMs: number;
}

/** Distributes over the union: each kind of act without its name. */
type Unnamed<A> = A extends OrderAct ? Omit<A, 'act'> : never;

export class OrderActs {
  private readonly options: OrderActsOptions;

  constructor(options: OrderActsOptions) {
    this.options = options;
  }

  move = (request: ApiRequest, id: string, { status, idempotency_key }: StatusBody): Promise<Answer> =>
    this.act(request, id, idempotency_key, { type: 'move', to: status }, 'Order status updated successfully');

  cancel = (request: ApiRequest, id: string, { reason, idempotency_key }: CancelBody): Promise<Answer> =>
    this.act(request, id, idempotency_key, { type: 'cancel', ...defined({ reason }) }, 'Order cancelled successfully');

  ship = (request: ApiRequest, id: string, body: ShipBody): Promise<Answer> => {
    const { lines, tracking_id: tracking, carrier, idempotency_key } = body;
    const command = {
      type: 'ship',
      ...(lines !== undefined && { lines: linesOf(lines) }),
      ...defined({ tracking, carrier }),
    } as const;
    return this.act(request, id, idempotency_key, command, 'Order shipped successfully');
  };

  deliver = (request: ApiRequest, id: string, { fulfillment_id, idempotency_key }: DeliverBody): Promise<Answer> => {
    const command = { type: 'deliver', ...defined({ fulfillment: fulfillment_id }) } as const;
    return this.act(request, id, idempotency_key, command, 'Order delivered successfully');
  };

  requestReturn = async (request: ApiRequest, id: string, body: ReturnBody): Promise<Answer> => {
    const { lines, reason, idempotency_key } = body;
    const named = lines?.some(({ item_id }) => item_id !== undefined) ? await this.order(request, id) : undefined;
    const command = {
      type: 'requestReturn',
      ...(lines !== undefined && { lines: linesOf(lines.map((line, i) => resolved(line, i, named))) }),
      ...defined({ reason }),
    } as const;
    return this.act(request, id, idempotency_key, command, 'Return requested successfully', 201);
  };

  receiveReturn = (request: ApiRequest, id: string, returned: string, body: ReceiveReturnBody): Promise<Answer> => {
    const { restock } = body;
    const command = { type: 'receiveReturn', returned, ...(restock !== undefined && { restock }) } as const;
    return this.act(request, id, body.idempotency_key, command, 'Return received successfully');
  };

  refund = async (
    request: ApiRequest,
    id: string,
    { amount, reason, idempotency_key }: RefundBody,
  ): Promise<Answer> => {
    const counted = amount === undefined ? {} : minorOf(amount, await this.order(request, id));
    const command = { type: 'refund', ...counted, ...defined({ reason }) } as const;
    return this.act(request, id, idempotency_key, command, 'Refund requested successfully', 201);
  };

  extendHold = (request: ApiRequest, id: string, { idempotency_key }: ExtendBody): Promise<Answer> =>
    this.act(request, id, idempotency_key, { type: 'extendHold' }, 'Hold extended successfully');

  transitions = async (): Promise<Answer> => success(200, TABLE);

  // -------------------------------------------------------------- machinery

  private async act(
    request: ApiRequest,
    id: string,
    inBody: string | undefined,
    command: Unnamed<OrderAct>,
    message: string,
    status = 200,
  ): Promise<Answer> {
    const { owners, clock, waiting, waitMs } = this.options;
    const key = idempotencyKey(request, inBody);
    const { ref, fingerprint, oldFingerprint, fresh } = writeOf(
      `orders/${id}`,
      callerOf(request.principal),
      key,
      contentOf(command),
      () => clock.id(),
      asGiven(command),
    );
    request.span?.note('holdfast.order_id', id);
    const condition = conditionOf(request);
    const act = {
      order: orderId(id),
      command: { ...command, act: { ref, fingerprint } } as OrderAct,
      correlation: request.cause,
      ...{ fresh, oldFingerprint },
      ...condition,
      ...(request.principal.userId !== undefined && { user: request.principal.userId }),
    };
    const reply = await waiting.during(() =>
      owners
        .act(act, waitMs, request.req)
        .then((answer) => this.asFirst(answer, act))
        .catch(unavailable),
    );
    if (reply.kind === 'unavailable') throw actUnavailable(reply, id);
    if (reply.kind === 'refused') {
      const failure = actRefusal(reply, id, command, condition);
      throw reply.repeat === true ? replayed(failure) : failure;
    }
    return {
      ...success(status, orderJson(reply.state), message),
      etag: entityTag(reply.state),
      ...(reply.repeat && { headers: REPLAYED }),
    };
  }

  /** A repeat shows the order as the first answer showed it. */
  private async asFirst(reply: ActReply, { order, command }: ActRequest): Promise<ActReply> {
    if (reply.kind === 'unavailable' || reply.repeat !== true) return reply;
    const { owners, queries } = this.options;
    const state = await asAnswered(owners, queries, order, command.act.ref);
    return state === undefined ? reply : { ...reply, state };
  }

  private async order({ principal }: ApiRequest, id: string): Promise<OrderState> {
    const state = await this.options.owners.order(orderId(id) as OrderId);
    if (state === undefined && (await fromReadModel(() => this.options.queries.isGone(orderId(id)))))
      throw goneOrder(id);
    if (state === undefined || !sees(principal, state.content.user)) throw notFound(`There is no order ${id}.`);
    return state;
  }
}

function unavailable(error: unknown): ActReply {
  if (error instanceof Unavailable) return noAnswer(error);
  throw error;
}

/** The versions at which the order may or may not be changed. */
function conditionOf({ req }: ApiRequest): VersionCondition {
  const matching = ifMatch(req);
  const known = ifNoneMatch(req);
  return {
    ...(matching !== undefined && matching !== 'any' && { ifVersions: versionsOf(matching) }),
    ...(known !== undefined && { unlessVersions: known === 'any' ? known : versionsOf(known) }),
  };
}

type UnnamedAct = Unnamed<OrderAct>;

/** A received return is put back in stock by default. A client gives no currency. */
function asGiven(command: UnnamedAct): UnnamedAct {
  if (command.type === 'receiveReturn') return { ...command, restock: command.restock ?? true };
  if (command.type !== 'refund') return command;
  const { currency: _, ...given } = command;
  return given;
}

/**
 * The content that identifies the request. The order of its lines does not matter, and a refund is its amount as a
 * decimal: a repeat may know the currency that the first request did not know.
 */
function contentOf(command: UnnamedAct): object {
  const given = asGiven(command);
  if (command.type === 'refund' && command.minor !== undefined && command.currency !== undefined) {
    const { minor: _, ...unnumbered } = given as Extract<UnnamedAct, { type: 'refund' }>;
    return { ...unnumbered, amount: amountText(command.minor, command.currency) };
  }
  if (!('lines' in given) || given.lines === undefined) return given;
  return { ...given, lines: byProduct(given.lines, ({ product }) => product) };
}

interface GivenLine {
  readonly product_id?: string | number | undefined;
  readonly item_id?: string | undefined;
  readonly quantity: number;
}

/** A line may name its product by the id of an order item. */
function resolved({ product_id, item_id, quantity }: GivenLine, i: number, order: OrderState | undefined): GivenLine {
  if (item_id === undefined) {
    if (product_id === undefined)
      throw invalidField(`lines[${i}].product_id`, 'is missing: give product_id or item_id');
    return { product_id, quantity };
  }
  const product = order?.lines.find((_, at) => `${order.id}-${at + 1}` === item_id)?.product;
  if (product === undefined) throw invalidField(`lines[${i}].item_id`, 'is not an item of this order');
  if (product_id !== undefined && String(product_id) !== product) {
    throw invalidField(`lines[${i}].product_id`, `is not the product of ${item_id}`);
  }
  return { product_id: product, quantity };
}

/** Merges the lines of one product. */
function linesOf(given: readonly GivenLine[]): Line[] {
  const quantities = new Map<string, number>();
  for (const { product_id, quantity } of given) {
    const product = String(product_id);
    quantities.set(product, (quantities.get(product) ?? 0) + quantity);
  }
  return [...quantities].map(([product, quantity]) => ({ product: productId(product), quantity }));
}

/** An order without a currency is not held yet: its owner refuses what is counted in another one. */
function minorOf(amount: number | string, state: OrderState): { readonly minor: number; readonly currency: string } {
  const currency = state.currency ?? DEFAULT_CURRENCY;
  const minor = typeof amount === 'string' ? minorOfText(amount, currency) : toMinor(amount, currency);
  if (minor !== undefined) return { minor, currency };
  const digits = minorDigits(currency);
  if (Number(amount) * 10 ** digits > limits.amountMinor) throw moreThanPaid(state);
  throw invalidField('amount', `has more than the ${digits} decimals of ${currency}`);
}

/** Drops the undefined members. */
function defined(some: { readonly [name: string]: string | undefined }): { [name: string]: string } {
  const given: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(some)) if (value !== undefined) given[name] = value;
  return given;
}

const TABLE = JSON.stringify({
  transitions: TRANSITIONS.map(({ from, to, event, byRequest }) => ({
    from,
    to,
    event,
    by: byRequest ? 'request' : 'system',
  })),
  statuses: STATUSES,
  payment_statuses: PAYMENT_STATUSES,
  fulfillment_statuses: FULFILLMENT_STATUSES,
});
