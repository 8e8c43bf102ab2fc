/** The events of one message of EVENTS, each with what a filter may ask about. Fields that are missing match nothing. */
import type { EventFilter } from '../../actors/ports/live-events.js';
import { elementsOf } from '../events/event-texts.js';

export interface ToldEvent {
  /** `order` or `inventory`, as the type begins. */
  readonly kind: string;
  /** Such as `order.placed.v1`. */
  readonly type: string;
  /** The order or the product. */
  readonly subject: string;
  readonly products: readonly string[];
  readonly user: string | undefined;
  /** The event exactly as it stands in the message. */
  readonly text: string;
}

/** @param batch a JSON array of CloudEvents @throws when it is none */
export function eventsIn(batch: string): ToldEvent[] {
  return elementsOf(batch).map((text) => {
    const { type = '', subject = '', data = {} } = JSON.parse(text) as Envelope;
    const kind = type.slice(0, Math.max(0, type.indexOf('.')));
    const { user_id: user } = data;
    return {
      ...{ kind, type, subject, text },
      products: kind === 'order' ? productsIn(data) : [subject],
      user: typeof user === 'string' || typeof user === 'number' ? String(user) : undefined,
    };
  });
}

export function matches(filter: EventFilter, event: ToldEvent): boolean {
  const { order, product, user, types, stock } = filter;
  const isOfOrder = event.kind === 'order';
  if (!isOfOrder && (order !== undefined || (user !== undefined && stock !== true))) return false;
  if (order !== undefined && event.subject !== order) return false;
  if (product !== undefined && !event.products.includes(product)) return false;
  if (isOfOrder && user !== undefined && event.user !== user) return false;
  return types === undefined || types.has(event.kind) || types.has(event.type) || types.has(withoutVersion(event.type));
}

// ---------------------------------------------------------------- machinery

interface Envelope {
  readonly type?: string;
  readonly subject?: string;
  readonly data?: { readonly user_id?: unknown; readonly [field: string]: unknown };
}

const withoutVersion = (type: string): string => type.replace(/\.v\d+$/, '');

/** The fields of an order's event that list its products, one below the other in every list of lines. */
function productsIn(data: NonNullable<Envelope['data']>): string[] {
  const products = new Set<string>();
  for (const field of Object.values(data)) {
    if (!Array.isArray(field)) continue;
    for (const line of field) if (typeof line?.product_id === 'string') products.add(line.product_id);
  }
  return [...products];
}
