/** The query parameters of live events. */
import { z } from 'zod';
import { typeBeginnings, unknownType } from '../../actors/events/type-filters.js';
import { idText, ruled } from '../api/schemas.js';

const MOST_TYPES = 50;
const TYPE_RULE = `must be a list of event types such as order.confirmed, or of order and inventory, with commas between, at most ${MOST_TYPES}`;

const typesIn = (text: string): string[] => text.split(',').map((each) => each.trim());

function problemOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || typesIn(value).length > MOST_TYPES) return TYPE_RULE;
  const unknown = typesIn(value).find((each) => !typeBeginnings.has(each));
  return unknown === undefined ? undefined : unknownType(unknown, typeBeginnings);
}

const type = ruled<string>(
  (value) => problemOf(value) ?? TYPE_RULE,
  (value) => problemOf(value) === undefined,
  {
    type: 'string',
    minLength: 1,
    description:
      'Event types with commas between, with or without their version: `order.confirmed`, `order.confirmed.v1`. `order` and `inventory` are all of their types.',
  },
)
  .transform(typesIn)
  .optional();

const after = z.string().optional().meta({
  description: 'The last id that you got, for a client that cannot send the header `Last-Event-ID`. The header wins.',
});

export const placeQuery = z.object({ after });
export type PlaceQuery = z.output<typeof placeQuery>;

export const eventsQuery = placeQuery.extend({
  type,
  product_id: idText.optional().meta({
    description: 'Events of this product, and of orders whose event names it.',
  }),
  user_id: idText.optional().meta({ description: "Events of this user's orders." }),
});
export type EventsQuery = z.output<typeof eventsQuery>;
