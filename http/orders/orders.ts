/**
 * Orders over HTTP: place, get, list and history. The owner answers for one order; the read model answers lists and
 * histories.
 */
import { type OrderId, orderId, partitionOf, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { Owners, PlaceReply } from '../../actors/ports/owners.js';
import type { ListAsk, ListSource, Queries } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { sees, serviceOf } from '../../actors/principal.js';
import { noAnswer, Unavailable } from '../../actors/unavailable.js';
import { type ApiRequest, idempotencyKey, type WaitingRoom } from '../api/api-request.js';
import { cursorOf, linksOf } from '../api/cursor.js';
import { Failure, fromReadModel, goneOrder, notFound } from '../api/failure.js';
import { isByCursor, type OrderListQuery, orderFilter, orderKey, orderPage } from '../api/list-queries.js';
import { type Answer, brokenAnswer, continuedList, failureAnswer, list, REPLAYED, success } from '../api/reply.js';
import type { OrderBody } from '../api/schemas.js';
import { mustActFor } from '../auth/admission.js';
import { withDeadline } from '../wire/deadline.js';
import { drawingFor } from './drawn-ids.js';
import { answerOf, notConfirmed } from './order-answer.js';
import { type NormalisedOrder, normalised } from './order-content.js';
import { hashedTarget, type Target, targetOf } from './order-ids.js';
import { OrderRules } from './order-rules.js';
import { entityTag, historyJson, orderJson } from './order-view.js';
import { preferenceOf } from './prefer.js';

interface OrdersOptions {
  readonly owners: Owners;
  readonly queries: Queries;
  readonly clock: Clock;
  readonly waiting: WaitingRoom;
  /** How long a client waits for the outcome before it gets 202. Every wait of the request counts towards it. */
  readonly waitMs: number;
  /** How old lists may be, as far as this node knows. */
  readonly listAgeMs: () => number;
  /** Where a list comes from. */
  readonly listSource: (ask: ListAsk) => ListSource;
  /** Waits until lists show what any node has answered. @returns whether they do; undefined: nobody can tell here */
  readonly freshLists: (() => Promise<boolean>) | undefined;
  /** The number of partitions. */
  readonly partitions: number;
}

export class Orders {
  private readonly options: OrdersOptions;
  private readonly rules: OrderRules;
  private readonly drawInto: ReturnType<typeof drawingFor>;
  constructor(options: OrdersOptions) {
    this.options = options;
    this.rules = new OrderRules(options.owners);
    this.drawInto = drawingFor(options.partitions);
  }

  place = async (request: ApiRequest, body: OrderBody): Promise<Answer> => {
    const wanted = normalised(body);
    const key = idempotencyKey(request, wanted.key);
    const { user } = wanted.content;
    mustActFor(request, user, 'user_id');
    const service = serviceOf(request.principal);
    let target = targetOf(user, service, key, () => this.draw(wanted));
    const { waiting, clock } = this.options;
    request.span?.note('holdfast.order_id', target.order);
    const preference = preferenceOf(request);
    const waitMs = preference?.waitMs ?? this.options.waitMs;
    const impatient = preference?.impatient ?? false;
    waiting.enter();
    try {
      const startedAt = clock.monotonic();
      let reply = await this.placeAt(target, wanted, request, waitMs, impatient);
      if (key !== undefined && isNotYours(reply)) {
        // The key looks like one of our ids, but that order is another caller's. So it counts as any other key.
        target = hashedTarget(user, service, key);
        reply = await this.placeAt(target, wanted, request, this.rest(waitMs, startedAt), impatient);
      }
      const isRepeat = key !== undefined && reply.kind === 'outcome' && reply.repeat;
      const more = [...(isRepeat ? REPLAYED : []), ...(preference?.applied ?? [])];
      return withHeaders(answerOf(reply, target.order), more);
    } catch (error) {
      if (error instanceof Unavailable) return failureAnswer(notConfirmed(noAnswer(error), target.order));
      if (error instanceof Failure) throw error;
      return brokenAnswer(error, target.order);
    } finally {
      waiting.leave();
    }
  };

  /** Into the partition of the first product. */
  private draw({ content }: NormalisedOrder): OrderId {
    const { clock, partitions } = this.options;
    const home = partitionOf('product', content.lines[0]?.product ?? '', partitions);
    return this.drawInto(home, clock.id());
  }

  /** Returns the owner's own promise if the order needs no check: every wrapping promise costs microtask turns. */
  private placeAt(
    target: Target,
    wanted: NormalisedOrder,
    request: ApiRequest,
    waitMs: number,
    impatient: boolean,
  ): Promise<PlaceReply> {
    const { owners } = this.options;
    const { order, fresh, alias } = target;
    const { content } = wanted;
    // A literal with one shape. Spreads would be the largest cost of this function.
    const place = { order, fresh, alias, content, correlation: request.cause, impatient };
    if (!this.rules.applyTo(content)) return owners.place(place, waitMs, request.req);
    return this.checkRules(target, wanted, waitMs).then((restMs) => owners.place(place, restMs, request.req));
  }

  /** @returns the remaining time. @throws Failure if the order can never succeed. */
  private async checkRules(target: Target, wanted: NormalisedOrder, waitMs: number): Promise<number> {
    const { clock } = this.options;
    const startedAt = clock.monotonic();
    const late = () => Promise.reject(new Unavailable('the products were not read in time'));
    const refusal = await withDeadline(clock, waitMs, () => this.refusal(target, wanted), late);
    if (refusal !== undefined) throw refusal;
    return this.rest(waitMs, startedAt);
  }

  private rest(waitMs: number, startedAt: number): number {
    return Math.max(0, waitMs - (this.options.clock.monotonic() - startedAt));
  }

  /** Prices change and products appear. So a repeat gets the answer of its order, not a new check. */
  private async refusal(target: Target, wanted: NormalisedOrder): Promise<Failure | undefined> {
    const refusal = await this.rules.refusal(wanted);
    return refusal !== undefined && (target.fresh || !(await this.exists(target))) ? refusal : undefined;
  }

  private async exists({ order, alias }: Target): Promise<boolean> {
    const { owners } = this.options;
    if ((await owners.order(order)) !== undefined) return true;
    return alias !== undefined && (await owners.order(alias)) !== undefined;
  }

  get = async ({ principal }: ApiRequest, id: string): Promise<Answer> => {
    const state = await this.options.owners.order(orderId(id));
    if (state === undefined) throw await this.absent(id);
    if (!sees(principal, state.content.user)) throw unknownOrder(id);
    return { ...success(200, orderJson(state)), etag: entityTag(state) };
  };

  private async absent(id: string): Promise<Failure> {
    return (await fromReadModel(() => this.options.queries.isGone(orderId(id)))) ? goneOrder(id) : unknownOrder(id);
  }

  list = async (request: ApiRequest, query: OrderListQuery): Promise<Answer> => {
    const { principal, req } = request;
    const user = query.user_id ?? principal.userId;
    const filter = orderFilter({ ...query, ...(user !== undefined && { user_id: user }) });
    const page = orderPage(query);
    const isSeen = user === undefined || sees(principal, userId(user));
    const name = `orders ${JSON.stringify(filter)}`;
    const after = isByCursor(query) ? orderKey(name, query.cursor) : undefined;
    const isFresh = query.fresh ? await this.fresh() : undefined;
    const source = this.options.listSource({ isFresh: isFresh === true, after });
    const sought = isSeen ? source.queries : NO_ORDERS;
    const age = isFresh ? FRESH : this.listAge(source);
    if (!isByCursor(query)) {
      const { orders, ...counted } = await fromReadModel(() => sought.orders(filter, page));
      return withHeaders(list(orders.map(orderJson), { ...page, ...counted, isFresh }), age);
    }
    const limit = query.limit ?? limits.pageSizeDefault;
    const [{ orders, more }, counted] = await fromReadModel(() =>
      Promise.all([
        sought.ordersAfter(filter, after, limit),
        after === undefined ? sought.countOrders(filter) : undefined,
      ]),
    );
    const last = orders.at(-1);
    const next = more && last !== undefined ? cursorOf(name, [last.createdAt, last.id]) : undefined;
    const links = linksOf(req.url ?? '', limit, next);
    return withHeaders(continuedList(orders.map(orderJson), { limit, next, counted, isFresh, links }), age);
  };

  private async fresh(): Promise<boolean> {
    const { freshLists, waiting } = this.options;
    return freshLists !== undefined && (await waiting.during(freshLists));
  }

  /** Taken before the query begins: whatever was stored by then is in the list. */
  private listAge = ({ lagMs }: ListSource): readonly string[] => [
    'List-Age-Ms',
    String(Math.ceil(this.options.listAgeMs() + lagMs)),
  ];

  /** Like `list`, for one user. To a customer, other users do not exist. */
  listOfUser = async (request: ApiRequest, query: OrderListQuery & { readonly user_id: string }): Promise<Answer> => {
    if (!sees(request.principal, userId(query.user_id))) throw notFound(`There is no user ${query.user_id}.`);
    return this.list(request, query);
  };

  history = async (request: ApiRequest, id: string): Promise<Answer> => {
    const { owners, queries } = this.options;
    if (request.principal.userId !== undefined) await this.get(request, id);
    await owners.flushed(orderId(id));
    const rows = await fromReadModel(() => queries.history(orderId(id)));
    if (rows.length === 0) throw await this.absent(id);
    const data = rows.map(historyJson).join(',');
    return { status: 200, body: `{"status":"success","order_id":${JSON.stringify(id)},"data":[${data}]}` };
  };
}

/** Most answers have no further headers. */
const withHeaders = (answer: Answer, more: readonly string[]): Answer =>
  more.length === 0 ? answer : { ...answer, headers: [...(answer.headers ?? []), ...more] };

const FRESH = ['List-Age-Ms', '0'] as const;

/** A customer sees no orders of other users. */
const NO_ORDERS: Pick<Queries, 'orders' | 'ordersAfter' | 'countOrders'> = {
  orders: async () => ({ orders: [], total: 0, isEstimate: false }),
  ordersAfter: async () => ({ orders: [], more: false }),
  countOrders: async () => ({ total: 0, isEstimate: false }),
};

const isNotYours = (reply: PlaceReply): boolean => reply.kind === 'refused' && reply.refusal === 'not_yours';

const unknownOrder = (id: string) => notFound(`There is no order ${id}.`);
