/** The query parameters of live events. */
import { z } from 'zod';
import { idText, ruled } from '../api/schemas.js';

const TYPE = /^(order|inventory)(\.[a-z_]{1,40}(\.v\d{1,3})?)?$/;
const MOST_TYPES = 50;

const typesIn = (text: string): string[] => text.split(',').map((each) => each.trim());

const type = ruled<string>(
  'must be a list of event types such as order.confirmed, or of order and inventory, with commas between',
  (value) =>
    typeof value === 'string' && typesIn(value).length <= MOST_TYPES && typesIn(value).every((each) => TYPE.test(each)),
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
