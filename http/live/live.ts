/**
 * Events as they come: `GET /api/events` and `GET /api/orders/:order_id/events`.
 *
 * A browser's EventSource gives up for good at any status but 200. So a node that is stopping answers 200, and ends the
 * stream with a delay after which to come again. Lost events are told as an event, since no page sees a status.
 */
import { orderId, type UserId, userId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { EventFilter, LiveEvents } from '../../actors/ports/live-events.js';
import type { Owners } from '../../actors/ports/owners.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { callerOf, type Demand, lacks, type Principal, sees } from '../../actors/principal.js';
import type { ApiRequest } from '../api/api-request.js';
import { Failure, invalidField, notFound, unavailable } from '../api/failure.js';
import type { Answer } from '../api/reply.js';
import { type Admit, mustActFor } from '../auth/admission.js';
import { EventStream } from './event-stream.js';
import type { EventsQuery, PlaceQuery } from './live-queries.js';

interface LiveOptions {
  /** Undefined if there are none here. */
  readonly events: LiveEvents | undefined;
  readonly owners: Pick<Owners, 'order'>;
  readonly clock: Clock;
  /** Undefined while AUTH is off: then nothing is revoked. */
  readonly admit: Admit | undefined;
  readonly stopping: () => boolean;
  readonly most?: number | undefined;
}

/** What a listener needs for every read of orders. */
const DEMAND: Demand = 'orders:read';
/** A customer with this scope sees the stock's events. */
const STOCK: Demand = 'inventory:write';

export class Live {
  private readonly streams = new Set<EventStream>();
  private readonly most: number;

  constructor(private readonly options: LiveOptions) {
    this.most = options.most ?? limits.listeners;
  }

  /** Clients that listen now. */
  get listeners(): number {
    return this.streams.size;
  }

  all = async (request: ApiRequest, query: EventsQuery): Promise<Answer> => {
    if (query.user_id !== undefined) mustActFor(request, userId(query.user_id), 'user_id');
    return this.stream(request, query, filterFor(request.principal, query));
  };

  ofOrder = async (request: ApiRequest, id: string, query: PlaceQuery): Promise<Answer> => {
    const state = await this.options.owners.order(orderId(id));
    if (state === undefined || !sees(request.principal, state.content.user)) throw notFound(`There is no order ${id}.`);
    return this.stream(request, query, { order: id });
  };

  /** Ends all streams, so that their clients go on at another node. */
  stop(): void {
    for (const stream of [...this.streams]) stream.ended('stopping');
  }

  // -------------------------------------------------------------- machinery

  private async stream(request: ApiRequest, query: PlaceQuery, filter: EventFilter): Promise<Answer> {
    const { stopping } = this.options;
    const events = this.events();
    const given = givenPlace(events, request, query);
    if (stopping()) return streamed((res) => this.open(request, res, filter, given ?? '').ended('stopping'));
    if (this.streams.size >= this.most) throw full();
    const place = given ?? (await events.now());
    return streamed((res) => {
      const isFull = this.streams.size >= this.most;
      const stream = this.open(request, res, filter, place);
      if (stopping()) stream.ended('stopping');
      else if (isFull) stream.ended('busy');
      else stream.begin();
    });
  }

  /** @throws Failure when there are none here */
  private events(): LiveEvents {
    const { events } = this.options;
    const why = events === undefined ? 'There are no live events here.' : events.absence;
    if (events === undefined || why !== undefined) throw unavailable(why ?? '');
    return events;
  }

  private open(
    request: ApiRequest,
    res: Parameters<NonNullable<Answer['stream']>>[0],
    filter: EventFilter,
    place: string,
  ): EventStream {
    const { clock, admit } = this.options;
    const events = this.events();
    const caller = callerOf(request.principal) || undefined; // Nobody is known while AUTH is off.
    const stream: EventStream = new EventStream(res, {
      clock,
      place,
      listen: (listener) => events.listen(filter, place, listener, caller),
      mayListen: admit && (() => mayStill(admit, request)),
      closed: () => void this.streams.delete(stream),
    });
    this.streams.add(stream);
    return stream;
  }
}

/** The place that the client names. The header wins: a page cannot change it. */
function givenPlace(events: LiveEvents, { req }: ApiRequest, { after }: PlaceQuery): string | undefined {
  const header = req.headers['last-event-id'];
  const isHeader = typeof header === 'string' && header !== '';
  const [field, place] = isHeader ? ['Last-Event-ID', header] : ['after', after];
  if (place === undefined || events.isPlace(place)) return place;
  throw invalidField(field, 'is not the id of an event of Holdfast: send the last one that you got, or none');
}

const streamed = (stream: NonNullable<Answer['stream']>): Answer => ({
  status: 200,
  body: '',
  contentType: 'text/event-stream; charset=utf-8',
  headers: ['X-Accel-Buffering', 'no'], // nginx would keep events back.
  stream,
});

const full = (): Failure =>
  new Failure(503, 'busy', 'Too many clients listen to events here: try again in a moment, or at another node.', {
    headers: ['Retry-After', '5'],
  });

/** A customer sees the events of its own orders, and those of the stock only with the scope for it. */
function filterFor(principal: Principal, { type, product_id, user_id }: EventsQuery): EventFilter {
  const user: UserId | string | undefined = user_id ?? principal.userId;
  return {
    ...(product_id !== undefined && { product: product_id }),
    ...(user !== undefined && { user }),
    ...(type !== undefined && { types: new Set(type) }),
    ...(user_id === undefined && lacks(principal, STOCK) === undefined && { stock: true }),
  };
}

/** While no credential can be checked, those that were good stay good. */
async function mayStill(admit: Admit, request: ApiRequest): Promise<boolean> {
  const { userId: before } = request.principal;
  try {
    await admit(request, DEMAND);
    return request.principal.userId === before;
  } catch (error) {
    return !(error instanceof Failure) || error.status >= 500;
  }
}
